#!/bin/bash
# Frames encrypted end to end, without a meeting:
#
#   ./examples/encrypted-stream.sh
#
# installs what is missing, builds, and sends a real clip (VP8 and Opus, tests/media) from one process to another as RTP
# over UDP on 127.0.0.1, encrypted end to end. What arrives is in out/encrypted-stream/: recording.webm and picture.png. The same
# is tried with a wrong key, which must deliver nothing.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
cd "$(dirname "$(readlink -f "$0")")/.."
. scripts/try.sh

begin encrypted-stream ext/sframe gst/rtpsframe

say "A key, known to sender and receiver only: out/encrypted-stream/key.hex"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$out/key.hex"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$out/wrong.hex"
chmod 600 "$out"/*.hex

receiver=
trap '[ -z "$receiver" ] || kill "$receiver" 2> /dev/null || true' EXIT

# send VIDEO_PORT AUDIO_PORT [SECONDS]: the clip, in real time.
send ()
{
  gst-launch-1.0 -q filesrc location=tests/media/people-walking.webm ! matroskademux name=d \
    d.video_0 ! queue ! sframeenc kid=1 key-location="$out/key.hex" ! rtpsframepay ! udpsink host=127.0.0.1 port="$1" \
    d.audio_0 ! queue ! sframeenc kid=2 key-location="$out/key.hex" ! rtpsframepay ! udpsink host=127.0.0.1 port="$2"
}

# receive KEY FILE VIDEO_PORT AUDIO_PORT: in the background, until `stop_receiver`; -e closes the file.
receive ()
{
  gst-launch-1.0 -e webmmux name=m ! filesink location="$2" \
    udpsrc address=127.0.0.1 port="$3" caps='application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,a-sframe=(string)""' \
      ! rtpjitterbuffer ! rtpsframedepay ! sframedec kid=1 key-location="$1" ! queue ! m. \
    udpsrc address=127.0.0.1 port="$4" caps='application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,a-sframe=(string)""' \
      ! rtpjitterbuffer ! rtpsframedepay ! sframedec kid=2 key-location="$1" ! opusparse ! queue ! m. \
    > "$out/receiver.log" 2>&1 &
  receiver=$!
  for _ in $(seq 200); do
    port_is_used "$3" && port_is_used "$4" && return
    kill -0 "$receiver" 2> /dev/null || break
    sleep 0.1
  done
  cat "$out/receiver.log"
  echo "The receiver did not start."
  exit 1
}

stop_receiver ()
{
  kill -INT "$receiver" 2> /dev/null || true
  wait "$receiver" || true
  receiver=
}

say "Two processes: the clip travels encrypted (13 seconds)"
video=$(free_port) audio=$(free_port)
receive "$out/key.hex" "$out/recording.webm" "$video" "$audio"
send "$video" "$audio"
sleep 1
stop_receiver

say "The picture after ten seconds of the recording"
gst-launch-1.0 -q filesrc location="$out/recording.webm" ! matroskademux ! vp8dec ! videorate ! video/x-raw,framerate=1/5 \
  ! videoconvert ! pngenc ! multifilesink location="$out/picture.png"
[ -s "$out/picture.png" ] || { echo "No picture came out; the receiver said:"; cat "$out/receiver.log"; exit 1; }

# decoded FILE: how many pictures a decoder gets out of it
decoded ()
{
  timeout 8 gst-launch-1.0 -v filesrc location="$1" ! matroskademux ! vp8dec ! fakesink silent=false sync=false 2> /dev/null \
    | grep -c 'last-message = chain' || true
}
echo "$(decoded "$out/recording.webm") of 251 pictures arrived."

say "Once more, with a receiver that has another key (3 seconds)"
video=$(free_port) audio=$(free_port)
receive "$out/wrong.hex" "$out/wrong.webm" "$video" "$audio"
timeout 3 bash -c "$(declare -f send); out='$out'; send $video $audio" || true
stop_receiver
grep -o 'A frame of KID 1 is not authentic: the key is wrong' "$out/receiver.log"
left=$(decoded "$out/wrong.webm")
[ "$left" = 0 ] || { echo "$left pictures came out without the key: this must not happen, please report it."; exit 1; }
echo "0 pictures came out without the key."
rm -f "$out/wrong.webm"

say "Done. Look at out/encrypted-stream/picture.png, play out/encrypted-stream/recording.webm, and read docs/guide/end-to-end.md."
