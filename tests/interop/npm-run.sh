#!/bin/sh
# Runs a Node script with its npm packages, installed in the build directory and never in the source tree.
#
#   npm-run.sh SOURCE_DIR WORK_DIR SCRIPT [ARGUMENT...]
#
# SOURCE_DIR has the script, package.json and package-lock.json. Exits 77 (skipped), and says why, when Node.js is
# missing or the registry cannot be reached.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu
source_dir=$1 work_dir=$2 script=$3
shift 3

command -v node > /dev/null || { echo "SKIP: node (Node.js 20) is not installed"; exit 77; }
command -v npm > /dev/null || { echo "SKIP: npm is not installed"; exit 77; }

mkdir -p "$work_dir"
cp "$source_dir"/*.mjs "$source_dir"/package.json "$source_dir"/package-lock.json "$work_dir"
cd "$work_dir"
if ! cmp -s package-lock.json node_modules/.installed; then
  if ! npm ci --ignore-scripts --no-audit --no-fund > npm.log 2>&1; then
    if grep -qE 'ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|network' npm.log; then
      echo "SKIP: the npm registry cannot be reached"
      exit 77
    fi
    cat npm.log
    exit 1
  fi
  cp package-lock.json node_modules/.installed
fi
exec node "$script" "$@"
