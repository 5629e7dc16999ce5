#!/bin/bash
# Runs the launch lines that docs/guide/ice.md prints, as they are printed, but for the sinks that would need a screen or a
# loudspeaker: each pair of lines in a folder of its own, in either order, and what arrives is counted. The second side starts
# when the first has written its description and waits. The lines that name a TURN server get one here (coturn), and have to
# get a relay from it; where it is not installed they run with a server that is away.
#
#     ice-docs.sh GUIDE
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
guide=$1
work=$(mktemp -d)
pids=()
turn_pid=
cleanup () {
  trap - EXIT INT TERM
  for p in "${pids[@]}"; do kill "$p" 2> /dev/null; done
  for p in "${pids[@]}"; do wait "$p" 2> /dev/null; done
  [ -z "$turn_pid" ] || { kill "$turn_pid"; wait "$turn_pid"; } 2> /dev/null
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

# A TURN server at a port that is free; $turn_port is empty without. On an address that what the guide binds can reach: its
# sockets are tied to their interfaces.
turn_port=
turn_ip=$(hostname -I 2> /dev/null | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$' || true)
turn_ip=${turn_ip:-127.0.0.1}
start_turn () {
  local try log=$work/turn.log
  command -v turnserver > /dev/null || { echo "skipped: a TURN server that answers (Debian: coturn)"; return; }
  for try in $(seq 5); do
    turn_port=$((20000 + RANDOM % 10000))
    turnserver -n --listening-ip=$turn_ip --relay-ip=$turn_ip --listening-port=$turn_port --min-port=30000 --max-port=32000 \
      --allow-loopback-peers --realm=conclave --user=alice:sesame --lt-cred-mech --fingerprint --no-tls --no-dtls --no-cli \
      --pidfile="$work/turn.pid" --userdb="$work/turn.db" --log-file=stdout --simple-log > "$log" 2>&1 &
    turn_pid=$!
    for i in $(seq 100); do
      ss -lun | grep -q "$turn_ip:$turn_port " && return
      kill -0 $turn_pid 2> /dev/null || break
      sleep 0.1
    done
    kill $turn_pid 2> /dev/null
    wait $turn_pid
  done
  fail "the TURN server did not start"
}

names=$(sed -nE 's/^<!-- run: ([a-z-]+) a -->$/\1/p' "$guide")
[ -n "$names" ] || fail "the guide prints no line to run"
for name in $names; do
  case $name in *turn*) [ -n "$turn_port" ] || start_turn ;; esac
  case $name in *turn*) relay=$turn_port ;; *) relay= ;; esac
  for order in 'a b' 'b a'; do
    mkdir "$work/$name.${order% *}"
    cd "$work/$name.${order% *}" || exit 1
    # The server of the guide is not ours to ask.
    echo "turn://alice:sesame@$turn_ip:${turn_port:-9}?transport=udp" > turn.uri
    for side in $order; do
      line=$(block "$name" "$side")
      [ -n "$line" ] || fail "$name has no side $side"
      bash -c "$line" > "$side.log" 2>&1 &
      pids+=($!)
      for i in $(seq 300); do
        [ -s "$side.sdp" ] && break
        sleep 0.1
      done
      [ -s "$side.sdp" ] || fail "$name: side $side writes no description"
    done
    for i in $(seq 400); do
      grep -q ERROR ./*.log && fail "$name: an error"
      [ "$(grep -c 'last-message = chain' b.log)" -ge 20 ] && break
      sleep 0.1
    done
    [ "$(grep -c 'last-message = chain' b.log)" -ge 20 ] || fail "$name, ${order% *} first: nothing arrives"
    if [ -n "$relay" ]; then
      for i in $(seq 100); do
        grep -q 'typ relay' a.sdp && grep -q 'typ relay' b.sdp && break
        sleep 0.1
      done
      grep -q 'typ relay' a.sdp && grep -q 'typ relay' b.sdp || fail "$name: the TURN server gave no relay"
    fi
    echo "ok: $name, ${order% *} first: $(grep -c 'last-message = chain' b.log) buffers"
    kill -INT "${pids[@]}"
    wait "${pids[@]}" 2> /dev/null
    pids=()
    [ ! -e a.sdp ] && [ ! -e b.sdp ] || fail "$name: a description outlived its side"
  done
done
