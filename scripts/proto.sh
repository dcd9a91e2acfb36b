#!/usr/bin/env bash
# Regenerates the control plane's messages from src/protocol/control.proto. `npm run proto -- <dir>` writes elsewhere (the test diffs).
#
# The .js is imported as `#control` (package.json, "imports"), so that sources and build share one file.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-src/protocol}"
options=(-t static-module -w esm --es6 --dependency protobufjs/minimal.js --force-number
  --no-verify --no-convert --no-delimited --no-typeurl --no-service)
node_modules/.bin/pbjs "${options[@]}" --no-create --no-comments -o "$out/control.generated.js" src/protocol/control.proto
node_modules/.bin/pbjs "${options[@]}" src/protocol/control.proto |
  node_modules/.bin/pbts --no-comments - |
  sed -e 's#^import \* as \$protobuf from "protobufjs";#import type * as $protobuf from "protobufjs/minimal.js";#' -e '/import Long = require/d' \
    > "$out/control.generated.d.ts"
