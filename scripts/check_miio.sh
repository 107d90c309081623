#!/usr/bin/env bash
# python-miio, in a virtual environment beside the built programs, against Antiphon's miIO: scripts/check_miio.py.
#
#     scripts/check_miio.sh target/debug
set -euo pipefail
built=$1
venv="$built/python-miio"
# A half-made environment is made anew.
if [ ! -e "$venv/whole" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    # It is what we are compared with, not what we need: a machine that cannot have it says so and goes on.
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 20 python-miio==0.6.0.dev0; then
        echo "miIO: NOT SHOWN: python-miio cannot be installed here"
        exit 0
    fi
    touch "$venv/whole"
fi
exec "$venv/bin/python" "$(dirname "$0")/check_miio.py" "$built"
