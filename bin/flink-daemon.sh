#!/usr/bin/env bash
# Starts and stops a process in the background.
#   flink-daemon.sh (start|stop|stop-all) (standalonesession|taskexecutor) [args]

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"
. "${self%/*}/daemons.sh"

USAGE="Usage: flink-daemon.sh (start|stop|stop-all) (standalonesession|taskexecutor) [args]"

[ $# -ge 2 ] || { echo "$USAGE"; exit 1; }
verb=$1
choose_daemon "$2" || exit 1
shift 2
make_directories

case $verb in
  start)
    require_node
    launch "$@"
    await_started
    ;;
  stop) stop_last ;;
  stop-all) stop_all ;;
  *) echo "Unexpected argument '$verb'. $USAGE"; exit 1 ;;
esac
