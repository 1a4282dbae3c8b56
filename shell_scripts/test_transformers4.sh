#!/usr/bin/env bash
# The tests with the last transformers 4: shell_scripts/test_transformers4.sh [VENV]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv-transformers4}
make install
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --find-links .cache/wheelhouse torch==2.13.0 transformers==4.57.6 \
  --editable '.[dev,plots]'
"$venv/bin/pip" check
"$venv/bin/python" -m pytest "${@:2}"
