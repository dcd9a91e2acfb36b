#!/usr/bin/env bash
# Stops the TaskManagers of conf/workers, then the JobManagers of conf/masters.

[ -n "${BASH_VERSION-}" ] || exec bash -- "$0" "$@" # As in: sh start-cluster.sh
self=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${self%/*}/config.sh"
. "${self%/*}/daemons.sh"

read_workers
refuse_remote_hosts workers "${WORKERS[@]}"
masters=1
if [[ ${HIGH_AVAILABILITY,,} == zookeeper ]]; then
  read_masters
  masters=${#MASTERS[@]}
fi
make_directories

choose_daemon taskexecutor
for _ in "${WORKERS[@]}"; do
  stop_last
done

choose_daemon standalonesession
for ((i = 0; i < masters; i++)); do
  stop_last
done
