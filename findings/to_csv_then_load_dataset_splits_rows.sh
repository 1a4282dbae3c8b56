#!/usr/bin/env bash
# datasets 5.2.0 with pandas 3.1.1, Python 3.11: a data set whose text holds a carriage return, written with to_csv, has more
# rows when load_dataset reads that file. Python's csv quotes a carriage return only where the line terminator has one, and
# pandas writes lines with \n on Linux, so the cell is written bare; the reader takes a bare one for the end of a line. Two rows
# become three, the label of the first is lost, and nothing says so. Expected: what was written is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pandas==3.1.1
cd "$folder"
HF_DATASETS_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

from datasets import Dataset, load_dataset

rows = [{"text": "one\rtwo", "label": "x"}, {"text": "three", "label": "y"}]
Dataset.from_list(rows).to_csv("rows.csv", index=False)
read = load_dataset("csv", data_files="rows.csv", split="train", cache_dir="cache").to_list()
print(f"written {rows}")
print(f"read    {read}")
wrong = [{"text": "one", "label": None}, {"text": "two", "label": "x"}, {"text": "three", "label": "y"}]
sys.exit(read != wrong)
PYTHON
