#!/bin/sh
# Pin the hand-edited lists, with the hashes of every public wheel, for Python 3.11 and later.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$1" --output-file "$2"
}

lock requirements/installer.in requirements/installer.txt
lock requirements/base.in requirements.txt
lock tests/requirements.in tests/requirements.txt
