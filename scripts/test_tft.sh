#!/bin/sh
# Run the tests of the extra `tft` with torch in a folder of its own, made on demand.
#
# TORCH=torch==2.13.0 chooses the release. Nothing is installed into .venv.
set -eu
cd "$(dirname "$0")/.."

folder=${DATA_DIR:-var}/tft
wanted=${TORCH:-torch==2.13.0}
if [ "$(cat "$folder/installed.txt" 2>/dev/null)" != "$wanted" ]; then
    echo "test-tft: installing $wanted into $folder"
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    rm -rf "$folder"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$folder" "$wanted"
    echo "$wanted" >"$folder/installed.txt"
fi
PYTHONPATH="$folder" exec .venv/bin/python -m pytest -q -n 0 --timeout 900 \
    tests/unit/mlmodels/adapters/test_tft.py tests/integration/mlmodels/test_tft_challenger.py
