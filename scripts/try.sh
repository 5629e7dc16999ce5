# What the scripts in examples/ begin with; they are in the top folder when they source this.
#
#   begin NAME PLUGIN_FOLDER...   installs what is missing, builds, makes $out (out/NAME) anew, and lets GStreamer find the plugins
#   say WORDS                     a headline
#   free_port                     prints a TCP and UDP port that nobody listens on
#
# SPDX-License-Identifier: LGPL-2.1-or-later
. scripts/packages.sh

say () { printf '\n==> %s\n' "$*"; }

# Those in use stand in /proc/net in hexadecimal.
port_is_used ()
{
  grep -qi ":$(printf %04X "$1") " /proc/net/udp /proc/net/udp6 /proc/net/tcp /proc/net/tcp6 2> /dev/null
}

free_port ()
{
  local port
  while port=$((20000 + RANDOM % 12000)); port_is_used "$port"; do :; done
  echo "$port"
}

begin ()
{
  local name=$1 folder
  shift
  install_packages
  say "Building (folder build)"
  [ -f build/build.ninja ] || meson setup build > build-setup.log || { cat build-setup.log; exit 1; }
  rm -f build-setup.log
  ninja -C build

  # What `meson devenv` sets, for this shell.
  out=$PWD/out/$name
  rm -rf "$out" && mkdir -p "$out"
  GST_PLUGIN_PATH=
  for folder; do GST_PLUGIN_PATH=$GST_PLUGIN_PATH:$PWD/build/$folder; done
  GST_PLUGIN_PATH=${GST_PLUGIN_PATH#:}
  GST_REGISTRY=$PWD/build/registry.bin
  export GST_PLUGIN_PATH GST_REGISTRY
  unset GST_DEBUG
}
