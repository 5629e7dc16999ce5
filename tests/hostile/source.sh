#!/bin/bash
# What no line of the project's C code may do: take random bytes from anywhere but libsodium, and compare secrets with
# something that stops at the first difference.
#
#   source.sh TOP        the project's folder
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u
cd "$1" || exit 1
failures=0 checks=0

mapfile -t files < <(find gst ext examples -name '*.[ch]' 2> /dev/null | sort)
if [ ${#files[@]} -lt 10 ]; then
  echo "only ${#files[@]} source files found"
  exit 1
fi

# forbid NAME PATTERN [FILTER]: no code line (comments aside) has PATTERN, after FILTER changed it
forbid ()
{
  local hits
  checks=$((checks + 1))
  hits=$(grep -n '' "${files[@]}" | grep -vE '^[^:]+:[0-9]+: *(/?\*|//)' | sed -E "${3-}" | grep -E "$2" | grep -v 'public bytes')
  if [ -n "$hits" ]; then
    failures=$((failures + 1))
    printf 'not ok %s:\n%s\n' "$1" "$hits"
  else
    echo "ok $1"
  fi
}

forbid 'random bytes come from libsodium' \
  '\b(g_random_[a-z_]+|g_rand_[a-z_]+|s?rand|rand_r|random|srandom|[dlmej]rand48|arc4random[a-z_]*|getrandom|gnutls_rnd|g_uuid_string_random) \('
forbid 'nobody reads /dev/random himself' '"/dev/u?random"'
# A comparison of what is public says so in its line: /* public bytes */.
forbid 'secrets are compared in constant time' \
  '\b(memcmp|bcmp|strcmp|g_strcmp0|strncmp|g_str_equal|g_bytes_equal|g_bytes_compare) \([^;]*\b([a-z_]*(key|tag|mac|secret|password|token|salt|psk))\b' 's/"[^"]*"/""/g'
forbid 'no key is dumped to the log' 'GST_MEMDUMP[A-Z_]* \([^;]*(key|secret|salt)'
forbid 'no secret is a readable string property' '"(key|password|psk)",[^;]*G_PARAM_READWRITE'

echo "Checks: $checks, Failures: $failures, Errors: 0"
[ "$failures" = 0 ]
