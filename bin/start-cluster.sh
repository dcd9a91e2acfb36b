#!/usr/bin/env bash
# Starts the JobManagers of conf/masters and the TaskManagers of conf/workers. All come up at the same
# time: a TaskManager looks for the leader until it finds one.

. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/config.sh"

read_workers
refuse_remote_hosts workers "${WORKERS[@]}"
starts=()

if [[ ${HIGH_AVAILABILITY,,} == zookeeper ]]; then
  read_masters
  refuse_remote_hosts masters "${MASTERS[@]}"
  echo "Starting HA cluster with ${#MASTERS[@]} masters."
  for i in "${!MASTERS[@]}"; do
    "$FLINK_BIN_DIR/jobmanager.sh" start "${MASTERS[i]}" "${WEBUI_PORTS[i]}" &
    starts+=($!)
  done
else
  echo "Starting cluster."
  "$FLINK_BIN_DIR/jobmanager.sh" start &
  starts+=($!)
fi

for _ in "${WORKERS[@]}"; do
  "$FLINK_BIN_DIR/taskmanager.sh" start &
  starts+=($!)
done

status=0
for start in "${starts[@]}"; do
  wait "$start" || status=1
done
exit $status
