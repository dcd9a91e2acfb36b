#!/usr/bin/env bash
# Everything that can be known in minutes: types, lint, house rules and unit tests. Exactly what a change must pass.
set -euo pipefail
cd "$(dirname "$0")/.."

npm run --silent build
npx --no-install oxlint --type-aware
npx --no-install ava --tap | node scripts/tap-summary.mjs
