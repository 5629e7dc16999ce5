#!/bin/bash
# icetransport on one side, another program on the other, over loopback; descriptions by files, as two terminals would.
#
#     ice-interop.sh ICE-PEER OUR-ROLE stock ICE-STOCK
#     ice-interop.sh ICE-PEER OUR-ROLE werift FOLDER-WITH-PACKAGE.JSON WORK-FOLDER
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
peer=$1 role=$2 kind=$3
skip () { echo "skipped: $*"; exit 77; }

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
fail () { echo "FAILED: $*"; tail -n 30 "$work"/*.log | cut -c1-600; exit 1; }

case $role in
  controlling) controlling=true other=controlled ;;
  controlled) controlling=false other=controlling ;;
  towards-lite) controlling=false other=lite ;; # an ice-lite far end makes us control, whatever we were told
esac

case $kind in
  stock)
    "$4" "$work/b.sdp" "$work/a.sdp" $other > "$work/other.log" 2>&1 &
    ;;
  werift)
    command -v node > /dev/null && command -v npm > /dev/null || skip "node or npm is missing"
    mkdir -p "$5"
    cp "$4/package.json" "$4/package-lock.json" "$4/far-end.mjs" "$5/"
    # Installed once for both roles; the lock file says which bytes.
    exec 9> "$5/lock"
    flock 9
    if [ ! -e "$5/node_modules/.installed" ]; then
      (cd "$5" && timeout 60 npm ci --ignore-scripts --no-audit --no-fund > "$work/npm.log" 2>&1) ||
        { tail -3 "$work/npm.log"; skip "the packages of tests/interop/ice could not be installed from the npm registry"; }
      touch "$5/node_modules/.installed"
    fi
    flock -u 9
    node "$5/far-end.mjs" "$work/b.sdp" "$work/a.sdp" $other > "$work/other.log" 2>&1 &
    ;;
esac
pids+=($!)
"$peer" "controlling=$controlling bind-address=127.0.0.1 local-description-location=$work/a.sdp \
  remote-description-location=$work/b.sdp" > "$work/ours.log" 2>&1 &
pids+=($!)
ours=$!

await () { # LOG PATTERN SECONDS
  local i
  for i in $(seq $(($3 * 10))); do
    grep -Eq -- "$2" "$work/$1.log" && return
    [ "$(grep -c '^.* error ' "$work/$1.log")" = 0 ] || fail "$1: an error"
    sleep 0.1
  done
  fail "$1: no \"$2\" within $3 s"
}
await ours 'state (connected|ready)' 30
await ours 'frames 60$' 30
await other 'frames 60$' 30
kill -TERM $ours
wait $ours || fail "ours ended with an error"
grep -hE 'pair|stats' "$work/ours.log" | cut -c1-300
echo "ok: $kind, we are $role"
