#!/bin/bash
# A recorder that is killed loses nothing that is older than its max-latency; and what a crash or a full disk left can be read.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
for tool in gst-launch-1.0 python3 mkfifo; do
  command -v "$tool" > /dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
dir=$(mktemp -d)
recorder=
trap '[ -z "$recorder" ] || kill -9 "$recorder" 2> /dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failures=0 checks=0

check ()
{
  checks=$((checks + 1))
  if "${@:2}"; then
    echo "ok $1"
  else
    echo "not ok $1"
    failures=$((failures + 1))
  fi
}

launch ()
{
  LD_PRELOAD=${CONCLAVE_PRELOAD-} timeout -k 5 60 gst-launch-1.0 "$@"
}

# Until the file has SIZE bytes; a limit for what hangs.
await_size ()
{
  local tries=0
  while [ "$(stat -c %s "$1" 2> /dev/null || echo 0)" -lt "$2" ]; do
    [ $((tries += 1)) -lt 600 ] || return 1
    sleep 0.05
  done
}

python3 -c "import random; random.seed(1); open('plain', 'wb').write(random.randbytes(150001))"
python3 -c "import os; print(os.urandom(32).hex())" > k

# It gets 150,001 bytes, which end in the middle of a chunk, and then nothing, but no end.
mkfifo pipe
LD_PRELOAD=${CONCLAVE_PRELOAD-} gst-launch-1.0 -q fdsrc ! secretstreamenc key-location=k max-latency=100000000 \
  ! filesink location=x < pipe &
recorder=$!
exec 3> pipe
cat plain >&3
# header, a segment's head, three chunks
check 'what was recorded is in the file within the latency' await_size x $((80 + 24 + 3 * 21 + 150001))
kill -9 "$recorder"
wait "$recorder" 2> /dev/null
recorder=
exec 3>&-

launch -q filesrc location=x ! secretstreamdec key-location=k ! filesink location=refused > refused.log 2>&1
check 'it is refused as it is' [ $? -ne 0 ]
check 'with the place' grep -q 'was cut off.*in chunk 3, at byte 150168; the 150001 decrypted bytes before are good' refused.log
check 'on demand it is read' launch filesrc location=x ! secretstreamdec key-location=k allow-truncated=true \
  ! filesink location=y > read.log 2>&1
check 'all of it' cmp plain y
check 'with a warning' grep -q '^WARNING.*was cut off' read.log

# A disk that is full in the middle of a chunk.
ulimit -f 100 # of 1024 bytes
trap '' XFSZ
launch -q filesrc location=plain ! secretstreamenc key-location=k chunk-size=4096 ! filesink location=full > full.log 2>&1
check 'a full disk is an error' grep -q ^ERROR full.log
ulimit -f unlimited 2> /dev/null
check 'what fitted is read' launch filesrc location=full ! secretstreamdec key-location=k allow-truncated=true \
  ! filesink location=z > rest.log 2>&1
size=$(stat -c %s z)
check 'and is most of it' [ "$size" -ge 90000 ]
check 'and nothing else' cmp -n "$size" plain z

echo "Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
