#!/usr/bin/env bash
# From a fresh clone to a running cluster: installs, builds, starts a JobManager and a TaskManager with 4 slots,
# and counts the words of several MB of text at parallelism 2. Run it again as often as you like.
#   scripts/quickstart.sh        start over, and leave the cluster running
#   scripts/quickstart.sh stop   stop that cluster (QUICKSTART_STOP=1: stop it at the end of the run)
# Everything it writes is below .build/quickstart.
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/.."

home=$PWD
place=$home/.build/quickstart
text=$place/text.txt
output=$place/counts
export FLINK_CONF_DIR=$place/conf FLINK_LOG_DIR=$place/log FLINK_PID_DIR=$place/pids FLINK_IDENT_STRING=quickstart

step() { printf '\n== %s\n' "$*"; }

stop_cluster() {
  bin/taskmanager.sh stop-all
  bin/jobmanager.sh stop-all
}

# A command as the caller can paste it: of this directory when called from here, absolute otherwise.
here() {
  if [ "$caller" = "$home" ]; then printf '%q' "$1"; else printf '%q' "$home/$1"; fi
}

require_node() {
  command -v node >/dev/null || { echo "Node.js 20.19 or newer is needed: https://nodejs.org" >&2; exit 1; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    { echo "Node.js 20.19 or newer is needed; this is $(node --version)." >&2; exit 1; }
}

install_and_build() {
  local stamp=node_modules/.drey-lock
  if ! cmp -s package-lock.json "$stamp"; then
    npm ci --include=dev --no-audit --no-fund
    cp package-lock.json "$stamp"
  fi
  npm run --silent build
}

free_port() { # the first port from $1 on that nobody listens on
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

configure() {
  rest_port=$(free_port 8081)
  mkdir -p "$FLINK_CONF_DIR"
  cp conf/log4j*.properties "$FLINK_CONF_DIR" 2>/dev/null || true
  echo localhost >"$FLINK_CONF_DIR/workers"
  cat >"$FLINK_CONF_DIR/flink-conf.yaml" <<EOF
jobmanager.rpc.address: localhost
jobmanager.rpc.port: $(free_port 6123)
rest.address: localhost
rest.port: $rest_port
taskmanager.numberOfTaskSlots: 4
EOF
}

# English that every installation has: the documentation and licences of the installed packages.
collect_text() {
  find node_modules -type f \( -name '*.md' -o -name 'LICENSE*' -o -path '*/@types/node/*.d.ts' \) -print0 |
    LC_ALL=C sort -z | xargs -0 cat >"$text"
}

if [ "${1-}" = stop ]; then
  if [ -n "$(ls -A "$FLINK_PID_DIR" 2>/dev/null)" ]; then stop_cluster; else echo 'The cluster of the quick start is not running.'; fi
  exit 0
fi
[ $# -eq 0 ] || { echo "Usage: scripts/quickstart.sh [stop]" >&2; exit 1; }

step 'Install and build'
require_node
install_and_build

if [ -d "$place" ]; then
  step 'Clean up after the last run'
  stop_cluster
  rm -rf "$place"
fi

step 'Start a cluster'
configure
bin/start-cluster.sh
trap 'stop_cluster >/dev/null; echo "The quick start failed; the logs are in $FLINK_LOG_DIR" >&2' ERR

step 'Run WordCount at parallelism 2'
collect_text
bin/flink run -p 2 examples/streaming/WordCount.ts --input "$text" --output "$output"

step 'The most frequent words'
node dist/scripts/word-count-summary.js "$text" "$output"
trap - ERR

if [ -n "${QUICKSTART_STOP-}" ]; then
  step 'Stop'
  stop_cluster
  exit 0
fi
cat <<EOF

The cluster is running.
  REST and dashboard   http://localhost:$rest_port
  Logs                 $FLINK_LOG_DIR
  Another job          FLINK_CONF_DIR=$(printf '%q' "$FLINK_CONF_DIR") $(here bin/flink) run $(here examples/streaming/WordCount.ts)
  Stop                 $(here scripts/quickstart.sh) stop
EOF
