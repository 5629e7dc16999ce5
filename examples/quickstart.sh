#!/bin/bash
# From a bare Debian 12 to a secure meeting in one command:
#
#   ./examples/quickstart.sh
#
# installs what is missing, builds, and holds a meeting on this machine, each in a process of its own: a hub, a host who sends a
# real clip (tests/media), Tina with a test picture that carries a clock and a QR code, Otto with sound only, a recorder that
# everybody sees, and Mallory, who guesses the password. What is left is in out/quickstart/: meeting.mkv, the recording;
# meeting.png, pictures of it; roster.txt; security-codes.txt, the same code from each member; and what Mallory got.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."
. scripts/try.sh
begin quickstart ext/sframe gst/rtpsframe ext/srtp ext/ice ext/hub ext/meeting

clip=$PWD/tests/media/people-walking.webm
port=$(free_port)
link=meet://127.0.0.1:$port/standup
cd "$out"

declare -A pids
trap 'for p in "${pids[@]}"; do kill -KILL "$p" 2> /dev/null || true; done' EXIT

# start NAME LINE...: gst-launch-1.0 in the background; what it says is in NAME.log
start ()
{
  local name=$1
  shift
  gst-launch-1.0 -m "$@" > "$name.log" 2>&1 &
  pids[$name]=$!
}

# said NAME PATTERN: waits for a line, 20 s at most, or until the process ends
said ()
{
  for _ in $(seq 200); do
    grep -q -- "$2" "$1.log" && return
    kill -0 "${pids[$1]}" 2> /dev/null || break
    sleep 0.1
  done
  grep -q -- "$2" "$1.log" && return
  echo "$1 did not come to \"$2\"; it said:"
  grep -v 'state-changed\|stream-status\|latency\|tag' "$1.log" | tail -20
  exit 1
}

# stop NAME: as Ctrl-C does; the exit status is the process's
stop ()
{
  local pid=${pids[$1]}
  unset "pids[$1]"
  kill -INT "$pid" 2> /dev/null || true
  wait "$pid"
}

# join NAME ROLE LINE...
join ()
{
  local name=$1 role=$2
  shift 2
  start "$name" -e meetingjoin name=m role="$role" uri="$link" hub-certificate=hub.pem password-location=password \
    display-name="$name" "$@"
}

say "The hub, a password, and the host with a real clip"
umask 077
head -c 12 /dev/urandom | base64 > password
echo "not the password" > guess
start hub meetinghub port="$port" bind-address=127.0.0.1 certificate-location=hub.pem
said hub 'conclave-hub,'
join Host host admission=password \
  filesrc location="$clip" ! matroskademux name=d \
  d.video_0 ! queue ! clocksync ! m.   d.audio_0 ! queue ! clocksync ! m.
said Host 'state=(string)admitted'

say "A recorder, Tina with a test picture, Otto with sound only"
join Recorder recorder \
  m.video_mix ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! queue ! mux. \
  m.audio_mix ! audioconvert ! opusenc ! queue ! mux. \
  matroskamux name=mux ! filesink location=meeting.mkv
join Tina participant \
  videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 \
    ! timeoverlay halignment=right font-desc="Sans 20" ! qroverlay data="Tina" pixel-size=3 x=2 y=2 ! m. \
  audiotestsrc is-live=true wave=ticks ! m.
join Otto participant audiotestsrc is-live=true freq=330 volume=0.1 ! m.
for name in Recorder Tina Otto; do said "$name" 'state=(string)admitted'; done
said Host 'conclave-recording, .*state=(string)on'

say "Mallory, who does not know the password"
start Mallory meetingjoin name=m role=participant uri="$link" hub-certificate=hub.pem password-location=guess \
  display-name=Mallory m.src_0 ! filesink location=mallory.bin async=false
status=0
wait "${pids[Mallory]}" || status=$?
unset 'pids[Mallory]'
grep '^ERROR: ' Mallory.log | head -1
[ "$status" != 0 ] && [ ! -s mallory.bin ] && ! grep -q Mallory Host.log \
  || { echo "Mallory got in: this must not happen, please report it."; exit 1; }
echo "Mallory's process ended with status $status and received $(stat -c %s mallory.bin 2> /dev/null || echo 0) bytes." | tee mallory.txt

say "Ten seconds of meeting"
sleep 10

# The last epoch that all have been in, and its code as each has shown it.
code_of () { grep -o 'conclave-security-code, code=[^;]*' "$1.log" | tail -1; }
for name in Host Recorder Tina Otto; do printf '%-9s %s\n' "$name" "$(code_of "$name")"; done > security-codes.txt
cat security-codes.txt
[ "$(cut -c 11- security-codes.txt | sort -u | wc -l)" = 1 ] \
  || { echo "The codes are not equal: somebody is between them, or they are not in one epoch."; exit 1; }
grep -o 'conclave-participant-joined, .*' Recorder.log | tr -d '\\' | sed 's/(string)//g; s/(boolean)//g' > roster.txt
sed 's/^conclave-participant-joined, //' roster.txt

say "The end: the recorder closes its file, the others leave"
stop Recorder
for name in Tina Otto Host hub; do stop "$name" || echo "$name ended with status $?"; done
rm -f mallory.bin password guess

say "Pictures of the recording"
gst-launch-1.0 -q filesrc location=meeting.mkv ! matroskademux ! h264parse ! avdec_h264 ! videorate ! video/x-raw,framerate=1/2 \
  ! videoconvert ! videoscale ! video/x-raw,width=480,height=270 ! pngenc ! multifilesink location=picture-%d.png
sheet='' places=''
for i in 0 1 2 3 4 5; do # the first was before anybody was there
  [ -s "picture-$((i + 1)).png" ] || break
  sheet="$sheet filesrc location=picture-$((i + 1)).png ! pngdec ! videoconvert ! c.sink_$i"
  places="$places sink_$i::xpos=$((i % 3 * 480)) sink_$i::ypos=$((i / 3 * 270))"
done
[ -n "$sheet" ] || { echo "There is no picture in the recording."; tail -20 Recorder.log; exit 1; }
# shellcheck disable=SC2086
gst-launch-1.0 -q compositor name=c $places ! videoconvert ! pngenc snapshot=true ! filesink location=meeting.png $sheet
rm -f picture-*.png
[ -s meeting.png ]

say "Done. Look at out/quickstart/meeting.png, play out/quickstart/meeting.mkv, and read docs/guide/meeting.md."
