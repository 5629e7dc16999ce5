# What the project needs from the system, and how to get it: sourced by tests/run.sh and scripts/try.sh.
#
#   install_packages [WHAT...]   installs what is missing of the groups named (build, run, test; default all three)
#
# On Debian and its relatives apt-get installs, as root or through sudo, and only when something is missing. Elsewhere
# the list is printed, and the function succeeds if pkg-config and the shell find all of it all the same.
#
# SPDX-License-Identifier: LGPL-2.1-or-later

# group | Debian package | what it is for | how to know that it is there without dpkg: a command, a pkg-config module
#                                            (pc:NAME), a header (h:NAME), a GStreamer element (gst:NAME)
conclave_packages='
build|build-essential|C compiler, with the sanitizers|cc
build|meson|build system|meson
build|ninja-build|build system|ninja
build|pkg-config|finds the libraries|pkg-config
build|libgstreamer1.0-dev|GStreamer core and its test library|pc:gstreamer-check-1.0
build|libgstreamer-plugins-base1.0-dev|GStreamer RTP, audio and video libraries|pc:gstreamer-rtp-1.0
build|libsodium-dev|HMAC, ChaCha20-Poly1305, curves, guarded memory|pc:libsodium
build|libgnutls28-dev|AES-GCM|pc:gnutls
build|nettle-dev|AES-CTR|pc:nettle
build|libunistring-dev|preparation of passwords (RFC 8265)|h:uninorm.h
build|libsrtp2-dev|SRTP|pc:libsrtp2
build|libnice-dev|ICE|pc:nice
build|libjson-glib-dev|JSON of test vectors and signalling|pc:json-glib-1.0
build|libsoup-3.0-dev|HTTP and WebSockets of the hub|pc:libsoup-3.0
run|gstreamer1.0-tools|gst-launch-1.0, gst-inspect-1.0|gst-launch-1.0
run|gstreamer1.0-plugins-base|Opus, convert, test sources|gst:opusenc
run|gstreamer1.0-plugins-good|RTP, UDP, VP8, VP9, Matroska, PNG|gst:vp8enc
run|gstreamer1.0-plugins-bad|H.264, H.265 and AV1 parsers, stock SRTP|gst:h264parse
run|gstreamer1.0-x|a window, and text in the picture|gst:textoverlay
run|glib-networking|TURN over TLS (told by dpkg only)|sh
test|gstreamer1.0-plugins-ugly|H.264 encoder of the round trips|gst:x264enc
test|gstreamer1.0-libav|H.264 and H.265 decoders|gst:avdec_h264
test|gstreamer1.0-nice|stock ICE elements, a peer in tests|gst:nicesrc
test|nodejs|the independent SFrame peer of tests/interop, version 18 or newer|node
test|openssl|keys in the examples of the documents|openssl
test|coturn|STUN and TURN server of the ICE tests|turnserver
test|iproute2|network namespaces of the ICE tests|ip
test|nftables|NAT of the ICE tests|nft
test|valgrind|memory checks|valgrind
'

conclave_have_node ()
{
  node -e 'process.exit (parseInt (process.versions.node) >= 18 ? 0 : 1)' > /dev/null 2>&1 < /dev/null
}

# conclave_works PROBE: whether it is there, wherever it came from
conclave_works ()
{
  case $1 in
    node) conclave_have_node ;;
    h:*) printf '#include <%s>\n' "${1#h:}" | cc -E -x c - ;;
    pc:*) pkg-config --exists "${1#pc:}" ;;
    gst:*) gst-inspect-1.0 --exists "${1#gst:}" ;;
    *) command -v "$1" ;;
  esac > /dev/null 2>&1 < /dev/null
}

# conclave_have PACKAGE PROBE: dpkg is faster than a look into GStreamer's registry; but Node.js often comes from elsewhere
conclave_have ()
{
  [ "$2" = node ] && conclave_works node && return 0
  if command -v dpkg-query > /dev/null; then
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
  else
    conclave_works "$2"
  fi
}

# can_build: whether all that the build needs is there, installed or made by hand
can_build ()
{
  local group package purpose probe

  while IFS='|' read -r group package purpose probe; do
    [ "$group" = build ] || continue
    conclave_works "$probe" || return 1
  done <<EOF
$conclave_packages
EOF
}

install_packages ()
{
  local groups=" ${*:-build run test} " missing='' list='' group package purpose probe as_root='' log

  while IFS='|' read -r group package purpose probe; do
    case $groups in *" $group "*) ;; *) continue ;; esac
    [ -n "$package" ] || continue
    conclave_have "$package" "$probe" && continue
    missing="$missing $package"
    list="$list$(printf '  %-34s %s' "$package" "$purpose")
"
  done <<EOF
$conclave_packages
EOF
  [ -n "$missing" ] || return 0

  if command -v apt-get > /dev/null; then
    if [ "$(id -u)" != 0 ]; then
      # Ask for a password only where somebody can answer.
      if [ -t 0 ]; then as_root='sudo'; else as_root='sudo -n'; fi
    fi
    if [ -z "$as_root" ] || command -v sudo > /dev/null; then
      printf 'Installing what is missing:\n%s' "$list"
      log=$(mktemp)
      if { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update \
          && $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
        } < /dev/null > "$log" 2>&1; then
        rm -f "$log"
        return 0
      fi
      cat "$log"
      rm -f "$log"
    fi
  fi

  printf 'Please install these (Debian names; other systems have them under similar ones):\n%s' "$list"
  printf 'On Debian 12, as root:  apt-get install --no-install-recommends%s\n' "$missing"
  return 1
}
