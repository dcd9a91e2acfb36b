#!/usr/bin/env bash
# Starts or stops a JobManager on this host.

USAGE="Usage: jobmanager.sh ((start|start-foreground) [args])|stop|stop-all"

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"

verb=${1-}
[ $# -ge 1 ] && shift
args=()
if [ $# -gt 0 ] && [[ $1 != -* ]]; then # The old form: host [webui-port].
  args+=(--host "$1")
  shift
  if [ $# -gt 0 ] && [[ $1 != -* ]]; then
    args+=(--webui-port "$1")
    shift
  fi
fi
args+=("$@")

case $verb in
  start) exec "$FLINK_BIN_DIR/flink-daemon.sh" start standalonesession "${args[@]}" ;;
  start-foreground) exec "$FLINK_BIN_DIR/flink-console.sh" standalonesession "${args[@]}" ;;
  stop | stop-all) exec "$FLINK_BIN_DIR/flink-daemon.sh" "$verb" standalonesession ;;
  *) echo "$USAGE"; exit 1 ;;
esac
