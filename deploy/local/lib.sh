# shellcheck shell=bash
# What the scripts of the local stack share: where things are, how a process is started, found and stopped.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=${BALLAST_STATE_DIR:-$root/.local}          # pids, logs, secrets, the cluster: git ignores it
configuration=${BALLAST_BUILD:-release}           # debug is what the tests have built already

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi
say() { printf '%s\n' "$*"; }
step() { printf '%s==>%s %s\n' "$green$bold" "$plain" "$*"; }
die() { printf '%serror:%s %s\n' "$red$bold" "$plain" "$*" >&2; exit 1; }

# One `up` or `down` at a time for each state folder.
lock() {
    mkdir -p "$state"
    exec 9>"$state/lock"
    flock -w 900 9 || die "another make up or make down is running"
}

services=(etl store-notifier optimizer)
variable_of() { local v=${1^^}; say "BALLAST_PID_${v//-/_}"; }
executables() { say "${BALLAST_BIN:-$root/.build/$configuration}"; }

# Prints the process id if it is the named service, started from this project's executable.
# A pid file alone proves nothing: the number may be another process's by now.
running_pid() {
    local pid exe file="$state/run/$1.pid"
    [ -s "$file" ] || return 1
    pid=$(<"$file")
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
    [ "${exe% (deleted)}" = "$(readlink -f "$(executables)")/$1" ] || return 1
    say "$pid"
}

# True when the executable was rebuilt since the process started.
is_outdated() { [[ $(readlink "/proc/$1/exe") == *' (deleted)' ]]; }

# For a process that outlives the script: whoever called us may wait until nobody holds its descriptors any more.
close_inherited() {
    local fd
    for fd in /proc/"$BASHPID"/fd/*; do
        fd=${fd##*/}
        case $fd in
            0 | 1 | 2 | 255) ;; # 255 is bash's own
            *) eval "exec $fd>&-" 2>/dev/null || true ;;
        esac
    done
}

stop_pid() { # pid, seconds until SIGKILL
    kill -TERM "$1" 2>/dev/null || return 0
    local tenths=$(($2 * 10))
    while kill -0 "$1" 2>/dev/null && ((tenths-- > 0)); do sleep 0.1; done
    if kill -0 "$1" 2>/dev/null; then
        say "process $1 did not stop within $2 s; killed"
        kill -KILL "$1" 2>/dev/null || true
    fi
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first free port from the wanted one on, in $port. Wanted ports lie below 32768: from there on, outgoing connections borrow
# ports, which then cannot be listened on although nobody answers. A port given out in this run is not given twice.
taken_ports=" "
free_port() {
    port=$1
    while [[ $taken_ports == *" $port "* ]] || ! port_is_free "$port"; do
        port=$((port + 1))
        ((port < 32768)) || die "no free port from $1 on"
    done
    taken_ports+="$port "
}

random_text() { head -c "$1" /dev/urandom | base64 -w0 | tr '+/' '-_' | tr -d '='; }

# Writes standard input to a file that only its owner can read, all at once.
write_private() { (umask 077 && cat >"$1.new" && mv "$1.new" "$1"); }
