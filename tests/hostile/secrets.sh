#!/bin/bash
# The canary: runs pipelines with a recognisable key, collects everything that they say (gst-launch -v, all debug logs,
# dot dumps, statistics, error texts), and looks for the key in it: raw, in hexadecimal and in base64.
#
#   secrets.sh KEYACTIONS PLUGIN...        the program of keyactions.c, and which plugins were built
#
# A plugin with secrets adds a case with its `pipeline` lines below.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
keyactions=$(realpath "$1")
shift
[ $# -gt 0 ] || { echo 'skipped: no plugin with secrets was built'; exit 77; }
for tool in gst-launch-1.0 python3; do
  command -v "$tool" > /dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# The canary: no other thing in a log looks like it, in any spelling, and it is long enough for SRTP with a salt.
key_hex=c0ffee5ec2e7d00dfeedfacecafebabe0badf00ddeadbeef8badf00dabad1deac001d00d
key_base64=$(python3 -c "import base64,sys; print(base64.b64encode(bytes.fromhex(sys.argv[1])).decode())" "$key_hex")
wrong_hex=${key_hex:2}aa

failures=0 checks=0 actions=yes wrong_key=0

# search WHERE [PATTERN]: whether the key is in the files of $dir/WHERE; lines that match PATTERN may have it
search ()
{
  python3 - "$dir/$1" "$key_hex" "${2-}" <<'EOF'
import base64, os, re, sys
where, key, allowed = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3]
forms = {"raw": key, "raw, first half": key[:16], "raw, last half": key[-16:]}
for i in range(0, len(key) - 11, 4):  # twelve bytes in a row are no accident
    part = key[i:i + 12]
    hexa = part.hex()
    forms["hex at %d" % i] = hexa.encode()
    forms["HEX at %d" % i] = hexa.upper().encode()
    for sep in (":", " "):
        forms["hex with '%s' at %d" % (sep, i)] = part.hex(sep).encode()
        forms["HEX with '%s' at %d" % (sep, i)] = part.hex(sep).upper().encode()
for shift in range(3):  # base64 of the key wherever it stands in something longer
    for name, code in (("base64", base64.b64encode), ("URL-safe base64", base64.urlsafe_b64encode)):
        forms["%s, shifted by %d" % (name, shift)] = code(key[shift:shift + 18]).rstrip(b"=")
forms["C escapes"] = "".join("\\x%02x" % b for b in key[:12]).encode()
forms["octal escapes"] = "".join("\\%03o" % b for b in key[:4] if b > 126).encode()
found = total = 0
for root, _, names in os.walk(where):
    for name in sorted(names):
        with open(os.path.join(root, name), "rb") as f:
            data = f.read()
        total += len(data)
        for line in data.split(b"\n"):
            hit = [form for form, text in forms.items() if text in line]
            if hit and not (allowed and re.search(allowed.encode(), line)):
                found += 1
                if found <= 5:
                    print("%s has the key (%s): %r" % (name, hit[0], line[:300]))
if total < 1000:
    print("only %d bytes were said: nothing was tested" % total)
    sys.exit(1)
sys.exit(1 if found else 0)
EOF
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

# say NAME EXPECTED-EXIT COMMAND...: runs it with everything switched on; its words are kept in $dir/NAME. EXPECTED-EXIT
# is 0, or "error" (1, or 255 when it is found on the way to PAUSED).
say ()
{
  local name=$1 expected=$2 status
  shift 2
  mkdir -p "$dir/$name/dot"
  GST_DEBUG='*:9' GST_DEBUG_NO_COLOR=1 GST_DEBUG_FILE=$dir/$name/log GST_DEBUG_DUMP_DOT_DIR=$dir/$name/dot \
    G_MESSAGES_DEBUG=all LD_PRELOAD=${CONCLAVE_PRELOAD-} timeout -k 5 100 "$@" > "$dir/$name/out" 2> "$dir/$name/err" < /dev/null
  status=$?
  case $expected:$status in
    0:0 | error:1 | error:255) return 0 ;;
  esac
  echo "$name ended with $status:"
  tail -n 20 "$dir/$name/err"
  return 1
}

# pipeline NAME BEFORE ENCODER MIDDLE DECODER AFTER: all trials with one pair of elements that take `key`,
# `key-location`, and `set-key` where $actions is "yes". ENCODER and DECODER may have further properties.
pipeline ()
{
  local name=$1 before=$2 enc=$3 middle=$4 dec=$5 after=$6
  local all="$before ! $enc name=enc key-location=$dir/key $middle ! $dec name=dec"

  printf '%s\n' "$key_hex" > "$dir/key"
  printf '%s\n' "$key_base64" > "$dir/key64"
  printf '%s\n' "$wrong_hex" > "$dir/wrong"
  # The key with something behind it that makes the file useless: an error that quotes the file would tell it.
  printf '%s and more\n' "$key_hex" > "$dir/broken"
  printf '%s\n' "${key_hex:0:26}" > "$dir/short"

  check "$name: runs with key-location" say "$name-file" 0 gst-launch-1.0 -v $all key-location=$dir/key ! $after
  check "$name: nothing told" search "$name-file"
  check "$name: runs with a base64 file" say "$name-base64" 0 gst-launch-1.0 -v $all key-location=$dir/key64 ! $after
  check "$name: nothing told" search "$name-base64"
  check "$name: runs with a wrong key" say "$name-wrong" $wrong_key gst-launch-1.0 -v $all key-location=$dir/wrong ! $after
  check "$name: nothing told of a wrong key" search "$name-wrong"
  check "$name: a broken key file is an error" say "$name-broken" error gst-launch-1.0 -v $all key-location=$dir/broken ! $after
  check "$name: nothing told of a broken file" search "$name-broken"
  check "$name: a short key file is an error" say "$name-short" error gst-launch-1.0 -v $all key-location=$dir/short ! $after
  check "$name: nothing told of a short key" search "$name-short"

  # On the launch line gst-launch's own parser tells it, in these two categories, and nobody else does.
  check "$name: runs with key=" say "$name-line" 0 gst-launch-1.0 -v $before ! $enc name=enc key=$key_hex $middle ! \
    $dec name=dec key=$key_hex ! $after
  check "$name: only the parser tells" search "$name-line" ' (GST_PIPELINE|default) '
  check "$name: a useless key= is an error" say "$name-line-bad" error gst-launch-1.0 -v $before ! $enc name=enc \
    key=${key_hex}zz $middle ! $dec name=dec key=$key_hex ! $after
  check "$name: only the parser tells of it" search "$name-line-bad" ' (GST_PIPELINE|default) '

  [ "$actions" = yes ] || return
  check "$name: runs with set-key" say "$name-action" 0 "$keyactions" "$key_hex" \
    "$before ! $enc name=enc $middle ! $dec name=dec ! $after"
  # GStreamer logs no arguments of programs; keyactions itself prints none.
  check "$name: nothing told by set-key" search "$name-action"
}

# The search itself must be able to find: a log with the key in each spelling.
mkdir -p "$dir/self"
head -c 2000 /dev/zero > "$dir/self/padding"
for form in "$key_hex" "${key_hex^^}" "$key_base64" "$(tr '+/' '-_' <<< "$key_base64")" \
    "$(sed 's/../&:/g' <<< "$key_hex")" "$(printf '%b' "$(sed 's/../\\x&/g' <<< "$key_hex")" | tr -d '\0')"; do
  printf 'a line with %s in it\n' "$form" > "$dir/self/log"
  if search self > /dev/null; then
    echo "the search does not find $form"
    failures=$((failures + 1))
  fi
  checks=$((checks + 1))
done
rm -rf "$dir/self"

for plugin; do
  case $plugin in
    sframe)
      pipeline sframe 'videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! vp8enc deadline=1' \
        'sframeenc kid=1' '' 'sframedec kid=1' 'fakesink'
      pipeline sframe-packets \
        'videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! vp8enc deadline=1 ! rtpvp8pay' \
        'sframeenc kid=1 per-ssrc-keys=true' '' 'sframedec kid=1 per-ssrc-keys=true' \
        'rtpvp8depay ! fakesink'
      ;;
    conclavesrtp)
      # Master key and salt have one right length: 44 bytes for the default cipher.
      short_hex=$key_hex short_base64=$key_base64
      key_hex=${key_hex}5afe5a1751dec0de
      key_base64=$(python3 -c "import base64,sys; print(base64.b64encode(bytes.fromhex(sys.argv[1])).decode())" "$key_hex")
      wrong_hex=${key_hex:2}aa
      pipeline srtp \
        'videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! vp8enc deadline=1 ! rtpvp8pay' \
        'srtpprotect mki=01' '' 'srtpunprotect mki=01' 'rtpvp8depay ! fakesink'
      key_hex=$short_hex key_base64=$short_base64 wrong_hex=${short_hex:2}aa
      ;;
    secretstream)
      actions=no wrong_key=error # a file's wrong key is known at its header
      pipeline secretstream 'videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! vp8enc deadline=1 ! matroskamux' \
        'secretstreamenc' '' 'secretstreamdec' 'matroskademux ! fakesink'
      actions=yes wrong_key=0
      ;;
    *) echo "no case for the plugin $plugin"; failures=1 ;;
  esac
done

echo "Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
