#!/bin/bash
# Looks for secrets where they must not be: in what gst-launch-1.0 -v prints, in debug logs of every level and in dot files
# of the pipeline. The secrets are a TURN password, given by file, and the ICE passwords of both sides. They are there: what
# is found in the description files, which carry ICE passwords by design, shows that the search works. With a TURN server
# (coturn), a third call goes by relay only, and this host's own address is looked for in its description.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
work=$(mktemp -d)
pids=()
cleanup () {
  trap - EXIT INT TERM
  for p in "${pids[@]}"; do kill "$p" 2> /dev/null; done
  for p in "${pids[@]}"; do wait "$p" 2> /dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
fail () { echo "FAILED: $*"; exit 1; }
cd "$work" || exit 1

canary=canarybird4711sesame
echo "turn://alice:$canary@127.0.0.1:9" > turn.uri
export GST_DEBUG='*:9' GST_DEBUG_NO_COLOR=1
side () { # OWN OTHER CONTROLLING
  mkdir $1.dot
  GST_DEBUG_DUMP_DOT_DIR=$1.dot LD_PRELOAD=${CONCLAVE_PRELOAD-} GST_DEBUG_FILE=$1.debug gst-launch-1.0 -v videotestsrc is-live=true ! vp8enc deadline=1 ! rtpvp8pay ! \
    icetransport name=t controlling=$3 connect-timeout=0 bind-address=127.0.0.1 turn-servers-location=turn.uri local-description-location=$1.sdp \
    remote-description-location=$2.sdp t.src ! fakesink silent=false sync=false > $1.out 2>&1 &
  pids+=($!)
}
side a b true
side b a false
arrived () { grep -c 'last-message = chain' "$1.out"; }
for i in $(seq 900); do # each of the two: their output reaches the files late and in pieces
  [ "$(arrived a)" -ge 10 ] && [ "$(arrived b)" -ge 10 ] && break
  sleep 0.1
done
[ "$(arrived a)" -ge 1 ] && [ "$(arrived b)" -ge 1 ] || {
  tail -n 3 a.out b.out
  fail "the call did not come about: $(arrived a) and $(arrived b) buffers arrived"
}
pwd_a=$(sed -nE 's/^a=ice-pwd:([^\r]*)\r?$/\1/p' a.sdp)
pwd_b=$(sed -nE 's/^a=ice-pwd:([^\r]*)\r?$/\1/p' b.sdp)
grep -qF -- "$pwd_a" a.sdp && [ ${#pwd_a} -ge 22 ] && [ ${#pwd_b} -ge 22 ] || fail "the search does not find what is there"
kill -INT "${pids[@]}"
wait "${pids[@]}"
pids=()

[ -s a.debug ] || fail "no debug log"
for secret in "$canary" "$pwd_a" "$pwd_b"; do
  hex=$(printf %s "$secret" | od -An -tx1 | tr -d ' \n')
  base64=$(printf %s "$secret" | base64 | tr -d '=')
  for form in "$secret" "$hex" "${base64:0:26}"; do
    grep -rlF -- "$form" a.out b.out a.debug b.debug a.dot b.dot && fail "a secret is in the files above"
  done
done
# Dot files list what differs from the default, so what is looked for would be there.
grep -rqF 'bind-address' a.dot || fail "no dot file lists the properties"
echo "ok: $(cat a.debug b.debug | wc -l) lines of debug log and $(ls a.dot b.dot | grep -c dot$) dot files hold no secret"

# By relay only: no address of this host goes out.
command -v turnserver > /dev/null || { echo "skipped: relayed addresses, for turnserver is missing (Debian: coturn)"; exit 0; }
unset GST_DEBUG
for port in $(shuf -i 20000-30000 -n 5); do
  turnserver -n --listening-ip=127.0.0.1 --listening-port="$port" --relay-ip=127.0.0.1 --realm=conclave --user=alice:$canary \
    --lt-cred-mech --no-tls --no-dtls --no-cli --allow-loopback-peers --pidfile=turn.pid --userdb=turn.db --log-file=stdout \
    --simple-log > turn.log 2>&1 &
  server=$!
  for i in $(seq 50); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && kill -0 $server && break 2
    kill -0 $server 2> /dev/null || break
    sleep 0.1
  done
  kill $server 2> /dev/null
done
pids+=($server)
echo "turn://alice:$canary@127.0.0.1:$port" > relay.uri
LD_PRELOAD=${CONCLAVE_PRELOAD-} gst-launch-1.0 icetransport name=t bind-address=127.0.0.2,127.0.0.1 force-relay=true \
  turn-servers-location=relay.uri local-description-location=r.sdp t.src ! fakesink > r.out 2>&1 &
pids+=($!)
for i in $(seq 200); do
  grep -q end-of-candidates r.sdp 2> /dev/null && break
  sleep 0.1
done
grep -q 'typ relay' r.sdp || { cat r.out r.sdp; tail turn.log; fail "no relay address was granted"; }
grep 'a=candidate' r.sdp | grep -v 'typ relay raddr 0.0.0.0 rport 9' && fail "the description tells this host's address"
echo "ok: $(grep -c 'a=candidate' r.sdp) relayed candidates name the relay alone"
