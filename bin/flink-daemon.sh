#!/usr/bin/env bash
# Starts and stops a process in the background.
#   flink-daemon.sh (start|stop|stop-all) (standalonesession|taskexecutor) [args]
# Pid file: one "pid starttime" line per instance of that daemon, shared by all on this host.
# Unlike Flink: the start time tells a stale pid from one that the system has since given to a stranger,
# and `start` waits until the process reports that it is up, so one that dies at once is not "started".

. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/config.sh"

USAGE="Usage: flink-daemon.sh (start|stop|stop-all) (standalonesession|taskexecutor) [args]"
STOP_TIMEOUT_SECONDS=10
START_TIMEOUT_SECONDS=30
POLLS_PER_SECOND=50

[ $# -ge 2 ] || { echo "$USAGE"; exit 1; }
verb=$1 daemon=$2
shift 2

case $daemon in
  standalonesession) entry=jobmanager node_args=(--disallow-code-generation-from-strings) ;;
  taskexecutor) entry=taskmanager node_args=() ;;
  *) echo "Unknown daemon '$daemon'. $USAGE"; exit 1 ;;
esac

pid_file=$FLINK_PID_DIR/flink-$FLINK_IDENT_STRING-$daemon.pid
mkdir -p -- "$FLINK_PID_DIR" "$FLINK_LOG_DIR" || exit 1

# One script at a time per pid directory.
if command -v flock >/dev/null 2>&1; then
  exec 200<"$FLINK_PID_DIR"
  flock 200
fi

start_time() { # pid -> ticks since boot; empty when there is no such process
  local stat
  if [ -d /proc/self ]; then
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
    stat=${stat##*) } # The name before it may hold spaces and parentheses.
    # shellcheck disable=SC2086 # the rest of the line is words
    set -- $stat
    [ "$1" = Z ] || printf '%s' "${20}"
  elif kill -0 "$1" 2>/dev/null; then
    ps -o lstart= -p "$1" | tr -d ' '
  fi
}

is_running() { # pid [starttime] -> whether that very process lives
  local now
  now=$(start_time "$1" 2>/dev/null)
  [ -n "$now" ] && { [ -z "${2-}" ] || [ "$2" = "$now" ]; }
}

stop_one() { # pid starttime message-when-gone
  local polls=0
  if ! is_running "$1" "$2"; then
    echo "$3"
    return
  fi
  echo "Stopping $daemon daemon (pid: $1) on host $HOSTNAME."
  kill "$1" 2>/dev/null
  while is_running "$1" "$2"; do
    if [ $polls -ge $((STOP_TIMEOUT_SECONDS * POLLS_PER_SECOND)) ]; then
      echo "Daemon $1 didn't stop within $STOP_TIMEOUT_SECONDS seconds. Killing it."
      kill -9 "$1" 2>/dev/null
      return
    fi
    sleep 0.02
    polls=$((polls + 1))
  done
}

start_one() {
  local line running=0 pid started polls=0
  require_node
  for line in "${lines[@]}"; do
    # shellcheck disable=SC2086 # the line is "pid starttime"
    is_running $line && running=$((running + 1))
  done
  [ $running -eq 0 ] || echo "[INFO] $running instance(s) of $daemon are already running on $HOSTNAME."
  local prefix=$FLINK_LOG_DIR/flink-$FLINK_IDENT_STRING-$daemon-${#lines[@]}-$HOSTNAME
  local ready=$FLINK_PID_DIR/.flink-$FLINK_IDENT_STRING-$daemon-$$.ready
  rm -f -- "$ready"
  echo "Starting $daemon daemon on host $HOSTNAME."
  # shellcheck disable=SC2086 # options are words
  DREY_LOG_FILE=$prefix.log DREY_OUT_FILE=$prefix.out DREY_READY_FILE=$ready \
    "$NODE" --enable-source-maps "${node_args[@]}" $FLINK_NODE_OPTS \
    "$FLINK_HOME/dist/src/main/$entry.js" --configDir "$FLINK_CONF_DIR" "$@" \
    >"$prefix.out" 2>&1 </dev/null 200<&- &
  pid=$!
  disown
  started=$(start_time $pid)
  printf '%s %s\n' $pid "$started" >>"$pid_file"
  exec 200<&- # Others may start theirs while this one comes up.
  until [ -e "$ready" ]; do
    if ! is_running $pid "$started"; then
      echo "[ERROR] $daemon daemon (pid: $pid) on host $HOSTNAME ended while starting. The last lines of its output and log:" >&2
      tail -q -n 6 -- "$prefix.out" "$prefix.log" 2>/dev/null | sed 's/^/    /' >&2
      echo "    (from $prefix.out and .log)" >&2
      sed -i "/^$pid /d" "$pid_file"
      return 1
    fi
    if [ $polls -ge $((START_TIMEOUT_SECONDS * POLLS_PER_SECOND)) ]; then
      echo "[WARN] $daemon daemon (pid: $pid) on host $HOSTNAME is not up after $START_TIMEOUT_SECONDS s; see $prefix.log." >&2
      break
    fi
    sleep 0.02
    polls=$((polls + 1))
  done
  rm -f -- "$ready"
}

lines=()
[ -f "$pid_file" ] && mapfile -t lines <"$pid_file"

case $verb in
  start) start_one "$@" ;;
  stop)
    if [ ${#lines[@]} -eq 0 ]; then
      echo "No $daemon daemon to stop on host $HOSTNAME."
    else
      read -r pid started <<<"${lines[-1]}"
      unset 'lines[-1]'
      if [ ${#lines[@]} -eq 0 ]; then rm -f -- "$pid_file"; else printf '%s\n' "${lines[@]}" >"$pid_file"; fi
      stop_one "$pid" "$started" "No $daemon daemon (pid: $pid) is running anymore on $HOSTNAME."
    fi
    ;;
  stop-all)
    rm -f -- "$pid_file"
    for line in "${lines[@]}"; do
      read -r pid started <<<"$line"
      stop_one "$pid" "$started" "Skipping $daemon daemon (pid: $pid), because it is not running anymore on $HOSTNAME."
    done
    ;;
  *) echo "Unexpected argument '$verb'. $USAGE"; exit 1 ;;
esac
