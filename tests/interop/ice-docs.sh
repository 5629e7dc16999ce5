#!/bin/bash
# Runs the launch lines that docs/guide/ice.md prints, as they are printed, but for the sinks that would need a screen or a
# loudspeaker: each pair of lines in a folder of its own, in either order, and what arrives is counted. The second side starts
# when the first has written its description and waits.
#
#     ice-docs.sh GUIDE
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
guide=$1
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
fail () { echo "FAILED: $*"; grep -vh 'last-message' "$work"/*/*.log | cut -c1-300 | tail -n 60; exit 1; }

# The block of code behind "<!-- run: NAME SIDE -->".
block () {
  awk -v mark="<!-- run: $1 $2 -->" '$0 == mark { found = 1; next } found && /^```sh$/ { code = 1; next }
    code && /^```$/ { exit } code { print }' "$guide" |
    sed -E 's/auto(video|audio)sink/fakesink silent=false sync=false/; s/gst-launch-1.0/exec gst-launch-1.0 -v/'
}

names=$(sed -nE 's/^<!-- run: ([a-z-]+) a -->$/\1/p' "$guide")
[ -n "$names" ] || fail "the guide prints no line to run"
for name in $names; do
  for order in 'a b' 'b a'; do
    mkdir "$work/$name.${order% *}"
    cd "$work/$name.${order% *}" || exit 1
    echo 'turn://alice:sesame@127.0.0.1:9?transport=udp' > turn.uri # the server of the guide is not ours to ask
    for side in $order; do
      line=$(block "$name" "$side")
      [ -n "$line" ] || fail "$name has no side $side"
      bash -c "$line" > "$side.log" 2>&1 &
      pids+=($!)
      for i in $(seq 100); do
        [ -s "$side.sdp" ] && break
        sleep 0.1
      done
      [ -s "$side.sdp" ] || fail "$name: side $side writes no description"
    done
    for i in $(seq 200); do
      grep -q ERROR ./*.log && fail "$name: an error"
      [ "$(grep -c 'last-message = chain' b.log)" -ge 20 ] && break
      sleep 0.1
    done
    [ "$(grep -c 'last-message = chain' b.log)" -ge 20 ] || fail "$name, ${order% *} first: nothing arrives"
    echo "ok: $name, ${order% *} first: $(grep -c 'last-message = chain' b.log) buffers"
    kill -INT "${pids[@]}"
    wait "${pids[@]}" 2> /dev/null
    pids=()
    [ ! -e a.sdp ] && [ ! -e b.sdp ] || fail "$name: a description outlived its side"
  done
done
