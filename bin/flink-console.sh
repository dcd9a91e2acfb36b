#!/usr/bin/env bash
# Runs a process in the foreground, for containers and service managers.
#   flink-console.sh (standalonesession|taskexecutor) [args]

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"
. "${self%/*}/daemons.sh"

[ $# -ge 1 ] || { echo "Usage: flink-console.sh (standalonesession|taskexecutor) [args]"; exit 1; }
choose_daemon "$1" || exit 1
shift
require_node
make_directories

# A container that restarts meets its own old pids: with none alive, numbering starts at 0 again.
lock
read_pids
count_running
[ "$running" -gt 0 ] || pids=()
prefix=$FLINK_LOG_DIR/flink-$FLINK_IDENT_STRING-$daemon-${#pids[@]}-$HOSTNAME
pids+=($$)
write_pids
unlock

export DREY_LOG_FILE=$prefix.log DREY_LOG_CONSOLE=1
echo "Starting $daemon as a console application on host $HOSTNAME."
# shellcheck disable=SC2086 # options are words
exec "$NODE" --enable-source-maps "${node_args[@]}" $FLINK_NODE_OPTS \
  "$FLINK_HOME/dist/src/main/$entry.js" --configDir "$FLINK_CONF_DIR" "$@"
