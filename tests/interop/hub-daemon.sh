#!/bin/bash
# The daemon around meetinghub, and the program that checks its audit log: readiness, pages, SIGTERM, mistakes, a log that
# somebody changed.
#
#   hub-daemon.sh CONCLAVE-HUB CONCLAVE-AUDIT
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
hub=$(readlink -f "$1") audit=$(readlink -f "$2")
dir=$(mktemp -d) && cd "$dir" || exit 1
pid=
trap 'kill $pid 2> /dev/null; wait; cd /; rm -rf "$dir"' EXIT

fail ()
{
  printf 'FAILED: %s\n' "$*"
  cat "$dir"/*.err 2> /dev/null
  exit 1
}

# The unit, with the program where it is.
if command -v systemd-analyze > /dev/null; then
  sed "s|^ExecStart=[^ ]*|ExecStart=$hub|" "$CONCLAVE_TEST_DATA/../examples/conclave-hub.service" > conclave-hub.service
  systemd-analyze verify "$dir/conclave-hub.service" > unit.err 2>&1 || fail 'systemd does not take the unit'
  [ -s unit.err ] && fail 'systemd warns of the unit'
else
  echo 'skipped: systemd-analyze is not installed, the unit is not checked'
fi

# Waits for a readiness datagram, then writes what came.
cat > notified.py << 'PY'
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
open("bound", "w").close()
s.settimeout(30)
for name in ("ready", "stopping"):
    open(name, "w").write(s.recv(100).decode())
PY
python3 notified.py & notified=$!
for i in $(seq 300); do [ -e bound ] && break; sleep 0.1; done

NOTIFY_SOCKET=$dir/notify CONCLAVE_HUB_PORT=1 CONCLAVE_HUB_BIND_ADDRESS=127.0.0.1 \
  "$hub" --port=0 --certificate=hub.pem --audit=audit.log 2> hub.err & pid=$!
for i in $(seq 300); do grep -q READY=1 ready 2> /dev/null && break; sleep 0.1; done
grep -q READY=1 ready || fail 'it was never ready'
link=$(sed -n 's/^link: //p' hub.err)
case $link in meet://127.0.0.1:*'/MEETING?pin='*) ;; *) fail "no link: $link" ;; esac
grep -q '^listening: TCP port' hub.err || fail 'it does not log'

# A mistake is told, and is an exit status.
"$hub" --port=notanumber --certificate=hub.pem 2> bad.err; [ $? = 2 ] || fail 'a bad port was taken'
grep -q "port can't be" bad.err || fail 'a bad port is not explained'
"$hub" --port=70000 --certificate=hub.pem 2> bad.err; [ $? = 2 ] || fail 'a port beyond its range was taken'
CONCLAVE_HUB_AUDIO_LAST_N=many "$hub" --port=0 --certificate=hub.pem 2> bad.err; [ $? = 2 ] || fail 'a bad variable was taken'
grep -q CONCLAVE_HUB_AUDIO_LAST_N bad.err || fail 'a bad variable is not named'
"$hub" --port=0 2> bad.err; [ $? = 1 ] || fail 'it ran without a certificate'
grep -q certificate-location bad.err || fail 'a missing certificate is not explained'
"$hub" --port=0 --certificate=hub.pem --audit=audit.log 2> bad.err; [ $? = 1 ] || fail 'two hubs write one log'
"$hub" something 2> bad.err; [ $? = 2 ] || fail 'an argument was taken'

kill -TERM $pid
wait $pid || fail "it ended with $?"
pid=
wait $notified
grep -q STOPPING=1 stopping || fail 'it did not say that it stops'

# The log: whole; then changed, cut, and shortened.
"$audit" audit.log > out.err || fail 'its own log does not hold'
grep -q ' started *1' out.err && grep -q ' stopped *1' out.err || fail 'the summary does not count'
last=$(sed -n 's/.*; last //p' out.err)
"$audit" --kept="$last" audit.log > /dev/null || fail 'a kept hash is not found'
CONCLAVE_HUB_PORT=0 "$hub" --bind-address=127.0.0.1 --certificate=hub.pem --audit=audit.log 2> hub.err & pid=$!
for i in $(seq 300); do grep -q '^link' hub.err && break; sleep 0.1; done
kill -INT $pid; wait $pid || fail "it ended with $?"
pid=
"$audit" --kept="$last" audit.log > out.err || fail 'the chain does not go on over a restart'
[ "$(wc -l < audit.log)" = 4 ] || fail 'not four lines'

sed '2s/stopped/started/' audit.log > changed; "$audit" changed > out.err && fail 'a changed line was not found'
grep -q '^line 3: does not follow' out.err || fail 'the place of the change is not told'
sed 2d audit.log > cut; "$audit" cut > /dev/null && fail 'a line that was taken out was not missed'
head -n 1 audit.log > short; "$audit" short > /dev/null || fail 'a short log is whole as far as it goes'
"$audit" --kept="$last" short > /dev/null && fail 'the end that is missing was not missed'
"$audit" nothing > /dev/null 2>&1 && fail 'a file that is not there'
echo 'all well'
