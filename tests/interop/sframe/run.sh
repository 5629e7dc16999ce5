#!/bin/sh
# run.sh FRAMES CLIP: run.mjs where Node.js is there, else skipped (77).
if ! node -e 'process.exit (parseInt (process.versions.node) >= 18 ? 0 : 1)' 2> /dev/null; then
  echo 'skipped: Node.js 18 or newer is not installed'
  exit 77
fi
exec node "$(dirname "$0")/run.mjs" "$@"
