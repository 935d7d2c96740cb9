# shellcheck shell=bash
# The embedded PostgreSQL cluster: made, started and stopped here, used by nothing else.
# PostgreSQL refuses to run as root: then it belongs to the account `postgres`.

cluster_user=$(id -un)
if [ "$(id -u)" = 0 ]; then
    cluster_user=postgres
    id postgres >/dev/null 2>&1 || cluster_user=nobody
fi
as_cluster_user() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid="$cluster_user" --regid="$(id -g "$cluster_user")" --clear-groups \
            env HOME=/ LC_ALL=C.UTF-8 "$@")
    else
        "$@"
    fi
}

# $state/postgres; or, where that account cannot reach the clone (it lies under a private home), a folder of the system's.
cluster_folder() {
    if [ -L "$state/postgres" ]; then readlink "$state/postgres"; return; fi
    say "$state/postgres"
}
make_cluster_folder() {
    local elsewhere
    [ -e "$state/postgres" ] && return
    mkdir -m 700 "$state/postgres"
    [ "$(id -u)" = 0 ] || return 0
    chown "$cluster_user" "$state/postgres"
    as_cluster_user test -w "$state/postgres" && return
    rmdir "$state/postgres"
    elsewhere=/var/lib/ballast-$(printf '%s' "$state" | sha256sum | cut -c1-12)
    mkdir -p "$elsewhere"
    chown "$cluster_user" "$elsewhere" && chmod 700 "$elsewhere"
    ln -s "$elsewhere" "$state/postgres"
    say "the account $cluster_user cannot reach $state: the cluster is in $elsewhere"
}

cluster_is_up() { as_cluster_user "$(postgres_bin)/pg_ctl" -D "$(cluster_folder)/data" status >/dev/null 2>&1; }

start_cluster() { # port, superuser's password file
    local bin folder
    bin=$(postgres_bin) || die "PostgreSQL 15 was not found (package postgresql-15, or set BALLAST_POSTGRES_BIN)"
    make_cluster_folder
    folder=$(cluster_folder)
    if ! as_cluster_user test -s "$folder/data/PG_VERSION"; then
        step "Creating the PostgreSQL cluster"
        as_cluster_user sh -c 'umask 077 && cat >"$1"' sh "$folder/password" <"$2"
        as_cluster_user "$bin/initdb" -D "$folder/data" -U postgres -E UTF8 --locale=C.UTF-8 \
            --auth=scram-sha-256 --pwfile="$folder/password" >/dev/null
        as_cluster_user rm "$folder/password"
        as_cluster_user tee -a "$folder/data/postgresql.conf" >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
track_commit_timestamp = on
max_connections = 200
log_min_duration_statement = 1s
CONF
    fi
    cluster_is_up && return
    step "Starting PostgreSQL on port $1"
    (close_inherited && as_cluster_user "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -o "-p $1" -w -t 120 start >/dev/null) ||
        { as_cluster_user tail -20 "$folder/log" >&2; die "PostgreSQL did not start"; }
}

stop_cluster() {
    [ -e "$state/postgres" ] && cluster_is_up || return 0
    as_cluster_user "$(postgres_bin)/pg_ctl" -D "$(cluster_folder)/data" -m fast -w -t 60 stop >/dev/null
}

restart_cluster() { # smart | fast | immediate: the last is a crash, with recovery at the next start
    (close_inherited && as_cluster_user "$(postgres_bin)/pg_ctl" -D "$(cluster_folder)/data" -l "$(cluster_folder)/log" \
        -o "-p $database_port" -m "$1" -w -t 120 restart >/dev/null)
}
