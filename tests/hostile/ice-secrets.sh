#!/bin/bash
# Looks for secrets where they must not be: in what gst-launch-1.0 -v prints and in debug logs of every level. The secrets
# are a TURN password, given by file, and the ICE passwords of both sides. They are there: what is found in the description
# files, which carry ICE passwords by design, shows that the search works.
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
  LD_PRELOAD=${CONCLAVE_PRELOAD-} GST_DEBUG_FILE=$1.debug gst-launch-1.0 -v videotestsrc is-live=true ! vp8enc deadline=1 ! rtpvp8pay ! \
    icetransport name=t controlling=$3 bind-address=127.0.0.1 turn-servers-location=turn.uri local-description-location=$1.sdp \
    remote-description-location=$2.sdp t.src ! fakesink silent=false sync=false > $1.out 2>&1 &
  pids+=($!)
}
side a b true
side b a false
arrived () { grep -c 'last-message = chain' "$1.out"; }
for i in $(seq 400); do # each of the two: their output reaches the files late and in pieces
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
    grep -lF -- "$form" a.out b.out a.debug b.debug && fail "a secret is in the files above"
  done
done
echo "ok: $(cat a.debug b.debug | wc -l) lines of debug log hold no secret"
