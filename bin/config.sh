#!/usr/bin/env bash
# Sourced by the other scripts: directories, the few configuration keys that scripts need, and host lists.
# An environment variable wins over its key in the configuration file. Names and rules follow Apache
# Flink's scripts, so that operators' habits and wrappers keep working.

set +o posix # What bash is in when it is called `sh`.
set -u

# --- Where things are -------------------------------------------------------------------------------

FLINK_BIN_DIR=${BASH_SOURCE[0]%/*} # Absolute: the scripts source this file by their real path.
FLINK_HOME=${FLINK_BIN_DIR%/*}
if [ -n "${FLINK_CONF_DIR-}" ] && [ ! -d "$FLINK_CONF_DIR" ]; then
  # Defaults instead of it would start another cluster than the one that is meant.
  echo "[ERROR] FLINK_CONF_DIR is '$FLINK_CONF_DIR', which is not a directory." >&2
  exit 1
fi
: "${FLINK_CONF_DIR:=$FLINK_HOME/conf}"
[[ $FLINK_CONF_DIR == /* ]] || FLINK_CONF_DIR=$PWD/$FLINK_CONF_DIR
export FLINK_HOME FLINK_BIN_DIR FLINK_CONF_DIR

FLINK_CONF_FILE=$FLINK_CONF_DIR/flink-conf.yaml
[ -f "$FLINK_CONF_FILE" ] || FLINK_CONF_FILE=$FLINK_CONF_DIR/config.yaml

# --- Keys that the scripts themselves need ------------------------------------------------------------

# One pass over the file, flat or nested, into CONF; other sections are skipped unread. All checks happen in
# the processes: what is malformed here is reported there, with its line.
declare -A CONF=()
read_configuration() {
  [ -f "$FLINK_CONF_FILE" ] || return 0
  local line indent key value depth prefix wanted=false
  local -a path=() indents=()
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      env[.:]* | high-availability[.:]* | recovery[.:]*) wanted=true ;;
      [![:space:]#]*) wanted=false ;;
    esac
    $wanted || continue
    line=${line%$'\r'}
    [[ $line =~ ^([[:space:]]*)([A-Za-z0-9._-]+):([[:space:]]+(.*))?$ ]] || continue
    indent=${#BASH_REMATCH[1]} key=${BASH_REMATCH[2]} value=${BASH_REMATCH[4]:-}
    value=${value%%[[:space:]]#*}
    [[ $value == \#* ]] && value=
    value=${value%"${value##*[![:space:]]}"}
    if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
    depth=${#indents[@]}
    while [ "$depth" -gt 0 ] && [ "${indents[depth - 1]}" -ge "$indent" ]; do depth=$((depth - 1)); done
    path=("${path[@]:0:depth}") indents=("${indents[@]:0:depth}")
    if [ -z "$value" ]; then
      path+=("$key") indents+=("$indent")
    else
      printf -v prefix '%s.' "${path[@]}"
      [ ${#path[@]} -gt 0 ] || prefix=
      CONF["$prefix$key"]=$value
    fi
  done <"$FLINK_CONF_FILE"
}
read_configuration

: "${FLINK_LOG_DIR:=${CONF[env.log.dir]-$FLINK_HOME/log}}"
: "${FLINK_PID_DIR:=${CONF[env.pid.dir]-/tmp}}"
: "${FLINK_IDENT_STRING:=${USER-}}"
: "${MAX_LOG_FILE_NUMBER:=${CONF[env.log.max]-10}}"
: "${ROOT_LOG_LEVEL:=${CONF[env.log.level]-INFO}}"
: "${FLINK_NODE_OPTS:=${CONF[env.node.opts]-}}"
HIGH_AVAILABILITY=${CONF[high-availability.type]-${CONF[high-availability]-${CONF[recovery.mode]-NONE}}}
export FLINK_LOG_DIR FLINK_PID_DIR FLINK_IDENT_STRING MAX_LOG_FILE_NUMBER ROOT_LOG_LEVEL FLINK_NODE_OPTS HOSTNAME

NODE=${FLINK_NODE:-node}

require_node() {
  command -v "$NODE" >/dev/null 2>&1 && return 0
  echo "Node.js was not found: '$NODE' is not on the PATH. Install Node.js 20.19 or newer, or set FLINK_NODE." >&2
  exit 1
}

# --- masters and workers ------------------------------------------------------------------------------

host_lines() { # file -> one entry a line: the first word, without comment, blank lines and rack prefix
  local line
  [ -f "$1" ] || { echo localhost; return 0; }
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%%#*}
    read -r line _ <<<"$line" || true
    [ -n "$line" ] || continue
    [[ $line =~ ^/.*/([^/]+)$ ]] && line=${BASH_REMATCH[1]}
    printf '%s\n' "$line"
  done <"$1"
}

read_masters() { # fills MASTERS and WEBUI_PORTS (0 = not given)
  local entry
  MASTERS=() WEBUI_PORTS=()
  while IFS= read -r entry; do
    MASTERS+=("${entry%%:*}")
    case "$entry" in *:*) WEBUI_PORTS+=("${entry#*:}") ;; *) WEBUI_PORTS+=(0) ;; esac
    [[ ${WEBUI_PORTS[-1]} =~ ^[0-9]{1,5}$ ]] && continue
    echo "[ERROR] $FLINK_CONF_DIR/masters: '$entry' is not host or host:port, the port being that of the web UI." >&2
    exit 1
  done < <(host_lines "$FLINK_CONF_DIR/masters")
}

read_workers() { # fills WORKERS; `slaves` is the name before Flink 1.11
  local file=$FLINK_CONF_DIR/workers
  if [ ! -f "$file" ] && [ -f "$FLINK_CONF_DIR/slaves" ]; then
    file=$FLINK_CONF_DIR/slaves
    echo "[INFO] Reading $file; the file is called 'workers' now, please rename it." >&2
  fi
  mapfile -t WORKERS < <(host_lines "$file")
}

refuse_remote_hosts() { # file-name host...
  local file=$1 host
  shift
  for host in "$@"; do
    case "$host" in localhost | 127.0.0.1) continue ;; esac
    echo "[ERROR] $FLINK_CONF_DIR/$file names the host '$host': this version starts processes on localhost only. Run jobmanager.sh and taskmanager.sh on that host instead." >&2
    exit 1
  done
}
