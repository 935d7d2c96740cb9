# shellcheck shell=bash
# System packages: what is missing is installed by root on Debian, and named to everyone else.

wanted_packages=(libpq-dev libssl-dev libopenblas-dev liblapacke-dev libcurl4-openssl-dev pkg-config zlib1g-dev)
server_packages=(postgresql-15)
test_packages=(python3-venv)

is_installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

postgres_bin() {
    local dir
    for dir in ${BALLAST_POSTGRES_BIN:-} /usr/lib/postgresql/{15,16,17,18}/bin; do
        [ -x "$dir/initdb" ] && { say "$dir"; return; }
    done
    return 1
}

ensure_packages() { # build | server | test ...
    local kind package missing=()
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: libpq, OpenSSL, OpenBLAS, LAPACKE, libcurl (development files) and PostgreSQL 15 must be installed"
        return
    fi
    for kind in "$@"; do
        case $kind in
            build) for package in "${wanted_packages[@]}"; do is_installed "$package" || missing+=("$package"); done ;;
            server) postgres_bin >/dev/null || missing+=("${server_packages[@]}") ;;
            test) for package in "${test_packages[@]}"; do is_installed "$package" || missing+=("$package"); done ;;
        esac
    done
    ((${#missing[@]})) || return 0
    if [ "$(id -u)" != 0 ]; then
        die "missing packages; as root: apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    step "Installing ${missing[*]}"
    # The server package would start a cluster of its own on port 5432: only its programs are wanted.
    if [[ " ${missing[*]} " == *postgresql* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        say "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >"$state/apt.log" 2>&1 ||
        { tail -20 "$state/apt.log" >&2; die "apt-get failed"; }
}
