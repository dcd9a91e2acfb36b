#!/usr/bin/env bash
# Runs a process in the foreground, for containers and service managers.
#   flink-console.sh (standalonesession|taskexecutor) [args]

. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/config.sh"

daemon=${1-}
[ $# -ge 1 ] && shift
case $daemon in
  standalonesession) entry=jobmanager node_args=(--disallow-code-generation-from-strings) ;;
  taskexecutor) entry=taskmanager node_args=() ;;
  *) echo "Usage: flink-console.sh (standalonesession|taskexecutor) [args]"; exit 1 ;;
esac

require_node
mkdir -p -- "$FLINK_PID_DIR" "$FLINK_LOG_DIR" || exit 1
pid_file=$FLINK_PID_DIR/flink-$FLINK_IDENT_STRING-$daemon.pid
id=0
[ -f "$pid_file" ] && id=$(grep -c '' "$pid_file")
echo $$ >>"$pid_file"
export DREY_LOG_FILE=$FLINK_LOG_DIR/flink-$FLINK_IDENT_STRING-$daemon-$id-$HOSTNAME.log DREY_LOG_CONSOLE=1
echo "Starting $daemon as a console application on host $HOSTNAME."
# shellcheck disable=SC2086 # options are words
exec "$NODE" --enable-source-maps "${node_args[@]}" $FLINK_NODE_OPTS \
  "$FLINK_HOME/dist/src/main/$entry.js" --configDir "$FLINK_CONF_DIR" "$@"
