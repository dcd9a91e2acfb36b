#!/usr/bin/env bash
# Starts or stops a TaskManager on this host.

USAGE="Usage: taskmanager.sh (start|start-foreground|stop|stop-all) [args]"

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"

verb=${1-}
[ $# -ge 1 ] && shift

case $verb in
  start) exec "$FLINK_BIN_DIR/flink-daemon.sh" start taskexecutor "$@" ;;
  start-foreground) exec "$FLINK_BIN_DIR/flink-console.sh" taskexecutor "$@" ;;
  stop | stop-all) exec "$FLINK_BIN_DIR/flink-daemon.sh" "$verb" taskexecutor ;;
  *) echo "$USAGE"; exit 1 ;;
esac
