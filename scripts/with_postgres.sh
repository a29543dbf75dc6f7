#!/bin/sh
# Run a command with DATABASE_URL pointing to a PostgreSQL server that lives as long as the command.
#
#   scripts/with_postgres.sh .venv/bin/python -m pytest tests
#
# PG_BIN=/path/to/bin chooses the server's programs. As root the server runs as user `postgres`.
set -eu

die() { printf '%s\n' "with_postgres: $*" >&2; exit 1; }

find_programs() {
    for folder in "${PG_BIN:-}" /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin; do
        [ -x "$folder/initdb" ] && found=$folder
    done
    [ -n "${found:-}" ] || ! command -v initdb >/dev/null || found=$(dirname "$(command -v initdb)")
    [ -n "${found:-}" ] || die "no PostgreSQL server found; install it (Debian, Ubuntu: apt install postgresql) or set PG_BIN"
    echo "$found"
}

as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

stop() {
    status=$?
    trap - EXIT INT TERM
    if [ -f "$home/data/postmaster.pid" ]; then
        as_server "$programs/pg_ctl" -D "$home/data" -m immediate stop >/dev/null 2>&1 || :
    fi
    rm -rf "$home"
    exit "$status"
}

programs=$(find_programs)
home=$(mktemp -d "${TMPDIR:-/tmp}/trading-postgres.XXXXXX")
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >"$home/password"
[ "$(id -u)" != 0 ] || chown -R postgres "$home"
as_server "$programs/initdb" --pgdata "$home/data" --username trading --pwfile "$home/password" \
    --auth scram-sha-256 --encoding UTF8 --no-locale --no-sync >"$home/initdb.log" 2>&1 ||
    { cat "$home/initdb.log" >&2; die "initdb failed"; }

# What is tested is the server's behaviour, not its disk: nothing here outlives the command.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as_server "$programs/pg_ctl" -D "$home/data" -l "$home/server.log" -w -t 60 \
    -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$home -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=100" \
    start >/dev/null || { cat "$home/server.log" >&2; die "the server did not start"; }

export DATABASE_URL="postgres://trading:$password@127.0.0.1:$port/postgres"
# Tests that restart the server need its programs.
export PG_BIN="$programs"
"$@"
