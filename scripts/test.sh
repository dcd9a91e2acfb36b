#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. Ends with "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=node_modules/.drey-lock
if ! cmp -s package-lock.json "$stamp"; then
  npm ci
  cp package-lock.json "$stamp"
fi
npm run --silent build
npx --no-install ava --tap | node scripts/tap-summary.mjs
