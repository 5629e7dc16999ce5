#!/bin/bash
# srtpprotect and srtpunprotect against GStreamer's own srtpenc and srtpdec, each in a process of its own: real VP8 and Opus
# from CLIP, and RTCP, for every cipher that both have, without and with MKI, both ways. What comes out of the depayloader
# must be, byte for byte, what comes out of it without any SRTP.
#
#   run.sh CLIP
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
clip=$1
for element in srtpenc srtpdec rtpstreampay rtpvp8pay rtpopuspay matroskademux; do
  if ! gst-inspect-1.0 "$element" > /dev/null 2>&1; then
    echo "skipped: the element $element is not installed"
    exit 77
  fi
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0 checks=0

launch ()
{
  LD_PRELOAD=${CONCLAVE_PRELOAD-} timeout -k 5 60 gst-launch-1.0 -q "$@" > "$dir/log" 2>&1 < /dev/null || { cat "$dir/log"; return 1; }
}

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

# The senders of both kinds of media, with everything that varies from run to run fixed.
video="filesrc location=$clip ! matroskademux name=d d.video_0 ! rtpvp8pay ssrc=287454020 seqnum-offset=65000 timestamp-offset=1 picture-id-mode=15-bit picture-id-offset=7"
audio="filesrc location=$clip ! matroskademux name=d d.audio_0 ! rtpopuspay ssrc=287454020 seqnum-offset=65500 timestamp-offset=1"
video_caps='media=video,clock-rate=90000,encoding-name=VP8,payload=96'
audio_caps='media=audio,clock-rate=48000,encoding-name=OPUS,payload=96'

launch $video ! rtpvp8depay ! filesink location="$dir/video" || exit 1
launch $audio ! rtpopusdepay ! filesink location="$dir/audio" || exit 1
[ "$(stat -c %s "$dir/video")" -gt 100000 ] && [ "$(stat -c %s "$dir/audio")" -gt 10000 ] || { echo 'the clip is empty'; exit 1; }
# Forty receiver reports, each behind its length (RFC 4571), and the last 3 of them compound with a BYE.
python3 - > "$dir/rtcp" <<'PY'
import struct, sys
ssrc = 287454020
for i in range(40):
    packet = struct.pack(">BBHI", 0x81, 201, 7, ssrc) + struct.pack(">IIIIII", 7, i, 100 + i, 3, 4, 5)
    if i >= 37:
        packet += struct.pack(">BBHI", 0x81, 203, 1, ssrc)
    sys.stdout.buffer.write(struct.pack(">H", len(packet)) + packet)
PY

# same WANTED: what was received is that; it is taken away, so that nobody looks at it twice.
same ()
{
  cmp "$dir/$1" "$dir/out" && rm "$dir/out" "$dir/s"
}

hex () { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# trial NAME CIPHER AUTH KEY-BYTES MKI OURS-EXTRA [RTCP-CIPHER RTCP-AUTH]: without the last two RTCP is as RTP.
trial ()
{
  local cipher=$2 auth=$3 key mki=$5 extra=$6 rtcp_cipher=${7-$2} rtcp_auth=${8-$3}
  key=$(hex "$4")
  local names="rtp-cipher=$cipher rtcp-cipher=$rtcp_cipher rtp-auth=$auth rtcp-auth=$rtcp_auth"
  local ours="$names key=$key $extra" stock="$names key=$key"
  local caps="ssrc=(uint)287454020,srtp-key=(buffer)$key,srtp-cipher=(string)$cipher,srtp-auth=(string)$auth,srtcp-cipher=(string)$rtcp_cipher,srtcp-auth=(string)$rtcp_auth"
  if [ -n "$mki" ]; then
    ours="$ours mki=$mki" stock="$stock mki=$mki" caps="$caps,mki=(buffer)$mki"
  fi

  # ours → stock
  check "$1: video, srtpprotect to file" launch $video ! srtpprotect $ours ! rtpstreampay ! filesink location="$dir/s"
  check "$1: video, srtpdec" launch filesrc location="$dir/s" ! "application/x-srtp-stream,$video_caps,$caps" ! rtpstreamdepay ! srtpdec ! rtpvp8depay ! filesink location="$dir/out"
  check "$1: video is the same" same video
  check "$1: audio, srtpprotect to file" launch $audio ! srtpprotect $ours ! rtpstreampay ! filesink location="$dir/s"
  check "$1: audio, srtpdec" launch filesrc location="$dir/s" ! "application/x-srtp-stream,$audio_caps,$caps" ! rtpstreamdepay ! srtpdec ! rtpopusdepay ! filesink location="$dir/out"
  check "$1: audio is the same" same audio
  check "$1: RTCP, srtpprotect to file" launch filesrc location="$dir/rtcp" ! application/x-rtcp-stream ! rtpstreamdepay ! p.rtcp_sink_0 srtpprotect name=p $ours p.rtcp_src_0 ! rtpstreampay ! filesink location="$dir/s"
  check "$1: RTCP, srtpdec" launch filesrc location="$dir/s" ! "application/x-srtcp-stream,$caps" ! rtpstreamdepay ! d.rtcp_sink srtpdec name=d d.rtcp_src ! rtpstreampay ! filesink location="$dir/out"
  check "$1: RTCP is the same" same rtcp

  # stock → ours
  check "$1: video, srtpenc to file" launch $video ! srtpenc $stock ! rtpstreampay ! filesink location="$dir/s"
  check "$1: video, srtpunprotect" launch filesrc location="$dir/s" ! "application/x-srtp-stream,$video_caps" ! rtpstreamdepay ! srtpunprotect $ours ! rtpvp8depay ! filesink location="$dir/out"
  check "$1: video is the same" same video
  check "$1: audio, srtpenc to file" launch $audio ! srtpenc $stock ! rtpstreampay ! filesink location="$dir/s"
  check "$1: audio, srtpunprotect" launch filesrc location="$dir/s" ! "application/x-srtp-stream,$audio_caps" ! rtpstreamdepay ! srtpunprotect $ours ! rtpopusdepay ! filesink location="$dir/out"
  check "$1: audio is the same" same audio
  check "$1: RTCP, srtpenc to file" launch filesrc location="$dir/rtcp" ! application/x-rtcp-stream ! rtpstreamdepay ! p.rtcp_sink_0 srtpenc name=p $stock p.rtcp_src_0 ! rtpstreampay ! filesink location="$dir/s"
  check "$1: RTCP, srtpunprotect" launch filesrc location="$dir/s" ! application/x-srtcp-stream ! rtpstreamdepay ! d.rtcp_sink srtpunprotect name=d $ours d.rtcp_src ! rtpstreampay ! filesink location="$dir/out"
  check "$1: RTCP is the same" same rtcp
}

trial 'AES-256-GCM' aes-256-gcm null 44 '' ''
trial 'AES-128-GCM with MKI' aes-128-gcm null 28 0a0b0c0d ''
trial 'AES-256-GCM by libsrtp2 with MKI' aes-256-gcm null 44 01 backend=libsrtp2
trial 'AES-128-ICM, 80 bits' aes-128-icm hmac-sha1-80 30 '' ''
trial 'AES-128-ICM, 32 bits, MKI' aes-128-icm hmac-sha1-32 30 11223344 ''
trial 'AES-256-ICM, 80 bits, MKI' aes-256-icm hmac-sha1-80 46 0102 ''
trial 'AES-128-GCM' aes-128-gcm null 28 '' ''
trial 'AES-256-ICM, 80 bits' aes-256-icm hmac-sha1-80 46 '' ''
trial 'AES-256-ICM, 32 bits' aes-256-icm hmac-sha1-32 46 '' ''
# What SDES calls AES_CM_128_HMAC_SHA1_32: RTCP keeps the long tag (RFC 4568, 6.2.2). And a longer key than RTCP needs.
trial 'AES-128-ICM, 32 bits, RTCP 80' aes-128-icm hmac-sha1-32 30 '' '' aes-128-icm hmac-sha1-80
# With an MKI and tags of two lengths srtpdec does not even read what srtpenc sends: libsrtp2 2.5 looks for the MKI of RTCP
# where the tag of RTP would put it.
trial 'AES-128-ICM, 80 bits, RTCP 32' aes-128-icm hmac-sha1-80 30 '' '' aes-128-icm hmac-sha1-32
trial 'AES-256-ICM, 80 bits, RTCP AES-128' aes-256-icm hmac-sha1-80 46 '' '' aes-128-icm hmac-sha1-80
trial 'AES-256-GCM by libsrtp2, RTCP AES-128' aes-256-gcm null 44 '' backend=libsrtp2 aes-128-gcm null
trial 'AES-256-GCM, RTCP AES-128' aes-256-gcm null 44 '' '' aes-128-gcm null

# A key that is wrong, or missing: nothing comes out, and the exit status says so.
good=$(hex 44) bad=$(hex 44)
launch $video ! srtpprotect key=$good ! rtpstreampay ! filesink location="$dir/s" || failures=$((failures + 1))
for how in "key=$bad error-after=20" "key=00" ""; do
  if LD_PRELOAD=${CONCLAVE_PRELOAD-} timeout -k 5 60 gst-launch-1.0 -q filesrc location="$dir/s" ! "application/x-srtp-stream,$video_caps" ! rtpstreamdepay ! srtpunprotect $how ! rtpvp8depay ! filesink location="$dir/out" > "$dir/log" 2>&1 < /dev/null; then
    echo "not ok: gst-launch ended well with srtpunprotect $how"
    failures=$((failures + 1))
  else
    echo "ok gst-launch fails with srtpunprotect ${how%%=*}"
  fi
  checks=$((checks + 1))
done

echo "Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
