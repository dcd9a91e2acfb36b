#!/usr/bin/env bash
# Sourced, after config.sh, by the scripts that start and stop processes on this host.
#
# Pid file: one pid a line per instance of a daemon, the oldest first, shared by all instances on this host.
# Unlike Flink: starting waits until the process reports that it is up, so one that dies at once is not
# "started", and its last words are shown; and a pid that the system has since given to a stranger counts as
# gone, and is never signalled.

STOP_TIMEOUT_SECONDS=10
KILL_TIMEOUT_SECONDS=5
STOP_POLLS_PER_SECOND=50
START_TIMEOUT_SECONDS=30
LAST_WORDS_LINES=6

# Sets daemon, entry, node_args and pid_file. The names of the daemons are Flink's.
choose_daemon() { # standalonesession|taskexecutor
  daemon=$1
  case $daemon in
    standalonesession) entry=jobmanager node_args=(--disallow-code-generation-from-strings) ;;
    taskexecutor) entry=taskmanager node_args=() ;;
    *) echo "Unknown daemon '$daemon': expected standalonesession or taskexecutor." >&2; return 1 ;;
  esac
  pid_file=$FLINK_PID_DIR/flink-$FLINK_IDENT_STRING-$daemon.pid
}

# One script at a time may change the pid files of a directory.
lock() { ! command -v flock >/dev/null 2>&1 || { exec 200<"$FLINK_PID_DIR" && flock 200; }; }
unlock() { { exec 200<&-; } 2>/dev/null; }

read_pids() {
  pids=()
  [ ! -f "$pid_file" ] || mapfile -t pids <"$pid_file"
}

write_pids() {
  if [ ${#pids[@]} -eq 0 ]; then rm -f -- "$pid_file"; else printf '%s\n' "${pids[@]}" >"$pid_file"; fi
}

# Whether a pid is a living instance of the daemon; leaves its words in command_line.
is_daemon() { # pid
  command_line=()
  [[ $1 =~ ^[0-9]+$ ]] || return 1
  if [ -r /proc/self/cmdline ]; then
    { mapfile -d '' command_line <"/proc/$1/cmdline"; } 2>/dev/null
  else
    read -ra command_line < <(ps -o command= -p "$1") || true
  fi
  [[ " ${command_line[*]-} " == *"/main/$entry.js "* ]]
}

STARTING_PIDS=() STARTING_DAEMONS=() STARTING_PIPES=() STARTING_FILES=()

count_running() { # sets running
  local pid
  running=0
  for pid in "${pids[@]}"; do
    ! is_starting "$pid" && ! is_daemon "$pid" || running=$((running + 1))
  done
}

# An instance that this script has just started may not have become a Node.js process yet.
is_starting() { # pid
  [[ " ${STARTING_PIDS[*]-} " == *" $1 "* ]] && kill -0 "$1" 2>/dev/null
}

# Starts one instance without waiting for it. Adds it to the STARTING_* lists, which await_started works off.
launch() { # args...
  local running prefix pipe
  lock
  read_pids
  count_running
  [ $running -eq 0 ] || echo "[INFO] $running instance(s) of $daemon are already running on $HOSTNAME."
  prefix=$FLINK_LOG_DIR/flink-$FLINK_IDENT_STRING-$daemon-${#pids[@]}-$HOSTNAME
  echo "Starting $daemon daemon on host $HOSTNAME."
  # The process says "ready" on descriptor 3; when it dies, its end of the pipe closes and the wait ends too.
  exec {pipe}< <(become_process "$prefix" "$@")
  STARTING_PIDS+=($!) STARTING_DAEMONS+=("$daemon") STARTING_PIPES+=("$pipe") STARTING_FILES+=("$prefix")
  echo $! >>"$pid_file"
  unlock
}

# The process gets a session of its own, so that Ctrl-C in the terminal that started it leaves it alone.
become_process() { # log-file-prefix args...
  local prefix=$1
  shift
  local -a detach=()
  ! command -v setsid >/dev/null 2>&1 || detach=(setsid)
  export DREY_LOG_FILE=$prefix.log DREY_OUT_FILE=$prefix.out DREY_READY_FILE=/dev/fd/3
  # shellcheck disable=SC2086 # options are words
  exec "${detach[@]}" "$NODE" --enable-source-maps "${node_args[@]}" $FLINK_NODE_OPTS \
    "$FLINK_HOME/dist/src/main/$entry.js" --configDir "$FLINK_CONF_DIR" "$@" \
    3>&1 >"$prefix.out" 2>&1 </dev/null 200<&-
}

await_started() { # fails when any of the launched processes has ended
  local i status=0
  for i in "${!STARTING_PIDS[@]}"; do
    choose_daemon "${STARTING_DAEMONS[i]}"
    await_ready "${STARTING_PIPES[i]}" "${STARTING_PIDS[i]}" "${STARTING_FILES[i]}" || status=1
  done
  return $status
}

# Stops what launch has started in this script.
stop_launched() {
  local i
  for i in "${!STARTING_PIDS[@]}"; do
    choose_daemon "${STARTING_DAEMONS[i]}"
    is_daemon "${STARTING_PIDS[i]}" || continue
    forget_pid "${STARTING_PIDS[i]}"
    stop_process "${STARTING_PIDS[i]}" ''
  done
}

await_ready() { # pipe pid log-file-prefix
  local word code
  read -r -t $START_TIMEOUT_SECONDS -u "$1" word
  code=$?
  [ $code -ne 0 ] || return 0
  if [ $code -gt 128 ]; then
    echo "[WARN] $daemon daemon (pid: $2) on host $HOSTNAME is not up after $START_TIMEOUT_SECONDS s; see $3.log." >&2
    return 0
  fi
  forget_pid "$2"
  {
    echo "[ERROR] $daemon daemon (pid: $2) on host $HOSTNAME ended while starting. Its last words:"
    tail -q -n $LAST_WORDS_LINES -- "$3.log" "$3.out" 2>/dev/null | sed 's/^/    /'
    echo "    (all of it: $3.log and .out)"
  } >&2
  return 1
}

forget_pid() { # pid
  local pid
  local -a kept=()
  lock
  read_pids
  for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || kept+=("$pid"); done
  pids=("${kept[@]}")
  write_pids
  unlock
}

stop_process() { # pid message-when-gone
  if ! is_daemon "$1"; then
    echo "$2"
    return
  fi
  echo "Stopping $daemon daemon (pid: $1) on host $HOSTNAME."
  kill "$1" 2>/dev/null
  await_gone "$1" $STOP_TIMEOUT_SECONDS && return
  echo "Daemon $1 didn't stop within $STOP_TIMEOUT_SECONDS seconds. Killing it."
  kill -9 "$1" 2>/dev/null
  # SIGKILL takes effect a moment after it was sent: what is started next must find the ports free.
  await_gone "$1" $KILL_TIMEOUT_SECONDS \
    || echo "[WARN] $daemon daemon (pid: $1) on host $HOSTNAME is still there $KILL_TIMEOUT_SECONDS seconds after SIGKILL." >&2
}

await_gone() { # pid seconds; fails when it is still there
  local polls
  for ((polls = 0; polls < $2 * STOP_POLLS_PER_SECOND; polls++)); do
    is_daemon "$1" || return 0
    sleep 0.02
  done
  return 1
}

# Stops the instance that was started last.
stop_last() {
  local pid
  lock
  read_pids
  if [ ${#pids[@]} -eq 0 ]; then
    echo "No $daemon daemon to stop on host $HOSTNAME."
  else
    pid=${pids[-1]}
    unset 'pids[-1]'
    write_pids
    stop_process "$pid" "No $daemon daemon (pid: $pid) is running anymore on $HOSTNAME."
  fi
  unlock
}

stop_all() {
  local pid
  lock
  read_pids
  rm -f -- "$pid_file"
  for pid in "${pids[@]}"; do
    stop_process "$pid" "Skipping $daemon daemon (pid: $pid), because it is not running anymore on $HOSTNAME."
  done
  unlock
}

make_directories() {
  mkdir -p -- "$FLINK_PID_DIR" "$FLINK_LOG_DIR" || exit 1
}
