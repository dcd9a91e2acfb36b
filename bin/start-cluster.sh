#!/usr/bin/env bash
# Starts the JobManagers of conf/masters and the TaskManagers of conf/workers. All come up at the same
# time: a TaskManager looks for the leader until it finds one.
# Unlike Flink: a second cluster with the same configuration is refused, instead of a JobManager that dies
# of the taken port and TaskManagers that nobody counts.

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"
. "${self%/*}/daemons.sh"

refuse_second_cluster() {
  local pid
  read_pids
  for pid in "${pids[@]}"; do
    is_daemon "$pid" && [[ " ${command_line[*]} " == *" --configDir $FLINK_CONF_DIR "* ]] || continue
    echo "[ERROR] A cluster with $FLINK_CONF_DIR is already running on $HOSTNAME (JobManager pid: $pid)." \
      "Stop it with stop-cluster.sh, or add a TaskManager to it with taskmanager.sh start." >&2
    exit 1
  done
}

read_workers
refuse_remote_hosts workers "${WORKERS[@]}"
require_node
make_directories

choose_daemon standalonesession
refuse_second_cluster
if [[ ${HIGH_AVAILABILITY,,} == zookeeper ]]; then
  read_masters
  refuse_remote_hosts masters "${MASTERS[@]}"
  echo "Starting HA cluster with ${#MASTERS[@]} masters."
  for i in "${!MASTERS[@]}"; do
    launch --host "${MASTERS[i]}" --webui-port "${WEBUI_PORTS[i]}"
  done
else
  echo "Starting cluster."
  launch
fi

choose_daemon taskexecutor
for _ in "${WORKERS[@]}"; do
  launch
done

await_started && exit 0
choose_daemon standalonesession
read_pids
count_running
if [ "$running" -eq 0 ]; then
  echo "[ERROR] Without a JobManager there is no cluster: stopping the TaskManagers as well." >&2
  stop_launched
else
  echo "[ERROR] Not everything is up; what is up keeps running until stop-cluster.sh." >&2
fi
exit 1
