#!/usr/bin/env bash
# The tests with the last transformers 4: shell_scripts/test_transformers4.sh [VENV]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv-transformers4}
make install
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
# The lock file, less what transformers 5 needs in other versions.
grep -viE '^(transformers|tokenizers|huggingface_hub|hf-xet|peft|accelerate|datasets|cached_path)==' requirements.lock \
  > "$venv/requirements.txt"
"$venv/bin/pip" install --quiet --find-links .cache/wheelhouse -r "$venv/requirements.txt" \
  transformers==4.57.6 'peft>=0.18' 'accelerate>=1' 'datasets>=4'
"$venv/bin/pip" install --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/python" -m pytest "${@:2}"
