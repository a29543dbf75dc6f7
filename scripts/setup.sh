#!/bin/sh
# Create .venv and install the pinned requirements; instant when nothing changed.
#
#   scripts/setup.sh          what the system needs to run
#   scripts/setup.sh dev      that, and what tests and checks need
#
# PYTHON=/path/to/python chooses the interpreter (3.11 or later).
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

venv=.venv
files=requirements.txt
[ "${1:-}" = dev ] && files="requirements.txt tests/requirements.txt"

say() { printf '%s\n' "setup: $*"; }
die() { printf '%s\n' "setup: $*" >&2; exit 1; }

installed() {
    for file in $files; do
        cmp -s "$file" "$venv/.installed/$file" || return 1
    done
}

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python3.14; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "$candidate"
        return
    done
    die "Python 3.11 or later is needed and none was found; install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.12) or set PYTHON=/path/to/python"
}

check_disk() {
    free_kb=$(df -Pk . | awk 'NR == 2 { print $4 }')
    [ "$free_kb" -ge 1500000 ] || die "$((free_kb / 1024)) MB are free here and 1500 MB are needed; make room and run it again"
}

create_venv() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null && return
    python=$(find_python)
    check_disk
    say "1/3 creating $venv with $("$python" --version 2>&1)"
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --allow-existing --python "$(command -v "$python")" "$venv"
    elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    else
        die "this Python has no venv module; install it (Debian, Ubuntu: apt install python3-venv)"
    fi
}

# uv from the machine, or else our own; prints nothing where there is none for this platform.
find_uv() {
    command -v uv && return
    [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check --require-hashes -r requirements/installer.txt >&2 || return 0
    echo "$venv/bin/uv"
}

install_requirements() {
    arguments=
    for file in $files; do
        arguments="$arguments -r $file"
    done
    quiet=--quiet
    [ -t 2 ] && quiet=
    uv=$(find_uv)
    # shellcheck disable=SC2086  # $arguments is a list
    if [ -n "$uv" ]; then
        say "2/3 installing $files with uv"
        VIRTUAL_ENV="$PWD/$venv" "$uv" pip install $quiet --require-hashes $arguments && return
        say "uv could not; pip may know another way to the packages"
    fi
    say "2/3 installing $files with pip (about a minute)"
    [ -x "$venv/bin/pip" ] || "$venv/bin/python" -m ensurepip >/dev/null 2>&1 || :
    # shellcheck disable=SC2086
    "$venv/bin/python" -m pip install $quiet --disable-pip-version-check --no-compile \
        --require-hashes $arguments ||
        die "installing failed (above is why); check the network and the free disk space, then run it again"
}

installed && exit 0
create_venv
install_requirements
say "3/3 compiling"
"$venv/bin/python" scripts/warm_bytecode.py
for file in $files; do
    mkdir -p "$venv/.installed/$(dirname "$file")"
    cp "$file" "$venv/.installed/$file"
done
say "done"
