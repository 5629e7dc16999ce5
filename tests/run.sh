#!/bin/bash
# Every test of the project by one command, from any folder:
#
#   tests/run.sh            installs what is missing (Debian: apt), builds, and runs all suites plain, under the leaks
#                           tracer, under ASan and UBSan, under TSan (protocol code; elements that several threads use) and a
#                           selection under valgrind
#   tests/run.sh --quick    one build without sanitizers, all suites once
#
# Its last line counts test cases over all of these runs: "N passed, N failed" and, if there were any, ", N skipped".
# It ends with 0 only if something ran and nothing failed. Build folders are build-test/*; the logs of failed tests are
# printed in full, and their ends once more before the last line; all others are in build-test/*/meson-logs.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
quick=
case ${1-} in
  '') ;;
  --quick) quick=yes ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

exec < /dev/null
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
. scripts/packages.sh

export LC_ALL=C.UTF-8
# What a developer's shell may have set, and a test must not see.
unset GST_DEBUG GST_DEBUG_FILE GST_DEBUG_DUMP_DOT_DIR GST_TRACERS GST_PLUGIN_PATH GST_REGISTRY G_DEBUG G_MESSAGES_DEBUG \
  CFLAGS LDFLAGS DESTDIR MESON_TESTTHREADS ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS CK_FORK CK_RUN_CASE CK_RUN_SUITE

passed=0 failed=0 skipped=0
failures=
began=$SECONDS

say ()
{
  printf '\n=== %s\n' "$*"
}

fail ()
{
  printf 'FAILED: %s\n' "$*"
  failures+="--- $*"$'\n'
  failed=$((failed + 1))
}

skip ()
{
  printf 'SKIPPED: %s\n' "$*"
  skipped=$((skipped + 1))
}

# configure FOLDER [OPTION...]: a build folder, made or brought up to date. One that was made elsewhere, or by another
# meson, is made anew.
configure ()
{
  local dir=build-test/$1 log
  shift
  mkdir -p "$dir" && log=$(mktemp) || return 1
  say "configure $dir $*"
  if [ -f "$dir/build.ninja" ] && meson setup --reconfigure "$dir" -Dwerror=true "$@" > "$log" 2>&1; then
    :
  else
    rm -rf "$dir"
    if ! meson setup "$dir" -Dwerror=true "$@" > "$log" 2>&1; then
      cat "$log"
      rm -f "$log"
      fail "meson setup $dir"
      return 1
    fi
  fi
  sed -n '/^  Plugins/,/^ *$/p' "$log"
  rm -f "$log"
}

# suites FOLDER SETUP SUITE...: builds what the suites need and runs them. Some may be empty in a small configuration.
suites ()
{
  local dir=build-test/$1 setup=$2 known log line suite
  shift 2
  known=$(meson test -C "$dir" --list 2> /dev/null)
  local args=()
  for suite; do
    grep -q "[:+ ]$suite\([+ ]\|$\)" <<< "$known" && args+=(--suite "$suite")
  done
  say "$dir, setup $setup: $*"
  if [ ${#args[@]} = 0 ]; then
    fail "$dir has no test of $*"
    return
  fi
  log=$dir/meson-logs/testlog-$setup.json
  rm -f "$log"
  # Failures are counted from its log, not from its exit status.
  meson test -C "$dir" --setup "$setup" --print-errorlogs --no-stdsplit "${args[@]}" 2>&1 \
      | grep -v -e '^ninja: ' -e '^$' -e ' 0 *$' -e '^Full log'
  if ! line=$(python3 tests/count.py "$log"); then
    fail "nothing was run: does it build?"
    return
  fi
  set -- $line
  [ "$2" = 0 ] || failures+="=== $dir, setup $setup"$'\n'$(python3 tests/count.py --failed "$log")$'\n'
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
  printf '%s passed, %s failed, %s skipped in this run (%s s since the start)\n' "$1" "$2" "$3" $((SECONDS - began))
}

finish ()
{
  [ -z "$failures" ] || printf '\n=== what failed, once more\n%s' "$failures"
  printf '\n'
  [ $((passed + failed)) -gt 0 ] || { printf 'nothing was run\n'; failed=1; }
  if [ "$skipped" -gt 0 ]; then
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
  else
    printf '%s passed, %s failed\n' "$passed" "$failed"
  fi
  [ "$failed" = 0 ]
  exit
}

# Whether a sanitizer of the compiler works on this kernel: not all containers let TSan map what it needs.
sanitizer_works ()
{
  local dir ok=1
  dir=$(mktemp -d) || return 1
  printf 'int main (void) { return 0; }\n' > "$dir/t.c"
  ${CC:-cc} -fsanitize="$1" "$dir/t.c" -o "$dir/t" > /dev/null 2>&1 && ${2-} "$dir/t" > /dev/null 2>&1 && ok=0
  rm -rf "$dir"
  return $ok
}

if ! install_packages; then
  if ! can_build; then
    fail 'packages are missing, see above'
    finish
  fi
  say 'going on: what the build needs is there; tests that need the rest are skipped'
fi

if configure plain; then
  suites plain default check fuzz interop hostile sim
  [ "$quick" ] || suites plain leaks elements
fi
[ "$quick" ] && finish

if ! sanitizer_works address,undefined; then
  skip 'ASan and UBSan: the compiler has none that works here'
elif configure asan -Db_sanitize=address,undefined -Db_lundef=false; then
  suites asan default check fuzz hostile
fi

# Address space randomization can be more than this TSan was made for; then it runs without.
tsan=
if sanitizer_works thread; then
  tsan=env
elif sanitizer_works thread 'setarch -R'; then
  tsan='setarch -R'
fi
if [ -z "$tsan" ]; then
  skip 'TSan: the compiler has none that works on this kernel'
elif configure tsan -Db_sanitize=thread -Db_lundef=false; then
  meson () { command $tsan meson "$@"; }
  suites tsan default pure fuzz threads
  unset -f meson
fi

if ! command -v valgrind > /dev/null; then
  skip 'valgrind is not installed'
elif [ -f build-test/plain/build.ninja ]; then
  suites plain valgrind valgrind
fi
finish
