#!/usr/bin/env bash
# Stops the TaskManagers of conf/workers, then the JobManagers of conf/masters.

. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/config.sh"

read_workers
refuse_remote_hosts workers "${WORKERS[@]}"
for _ in "${WORKERS[@]}"; do
  "$FLINK_BIN_DIR/taskmanager.sh" stop
done

masters=1
if [[ ${HIGH_AVAILABILITY,,} == zookeeper ]]; then
  read_masters
  masters=${#MASTERS[@]}
fi
for ((i = 0; i < masters; i++)); do
  "$FLINK_BIN_DIR/jobmanager.sh" stop
done
