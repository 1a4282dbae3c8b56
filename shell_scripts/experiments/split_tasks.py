"""
Rows to tune on and rows to test on, of each task of training_config/experiments/tasks.libsonnet, in its one wording:
`python shell_scripts/experiments/split_tasks.py POOL OUT`. POOL is a P3 pool (JSONL or .jsonl.gz). OUT/TASK/train.jsonl
has the first rows of it, OUT/TASK/test.jsonl the next 150, without an input of both.
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any, Dict, List

from _jsonnet import evaluate_file

TASKS = Path(__file__).parents[2] / "training_config/experiments/tasks.libsonnet"
TEST_ROWS = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    tasks = json.loads(evaluate_file(str(TASKS)))
    rows: Dict[str, Dict[str, Dict[str, Any]]] = {name: {} for name in tasks}  # By their inputs: none twice.
    with gzip.open(args.pool, "rt", encoding="utf-8") if args.pool.suffix == ".gz" else args.pool.open() as file:
        for line in file:
            row = json.loads(line)
            if row["task"] in rows and row["template"] == tasks[row["task"]]["template"]:
                rows[row["task"]].setdefault(row["input"], row)
    for name, found in rows.items():
        kept = [{key: row[key] for key in ("id", "task", "template", "input", "target")} for row in found.values()]
        if len(kept) < 2 * TEST_ROWS:
            raise SystemExit(f"{args.pool}: {len(kept)} rows of {name}; at least {2 * TEST_ROWS} are needed")
        write(args.out / name / "train.jsonl", kept[:-TEST_ROWS])
        write(args.out / name / "test.jsonl", kept[-TEST_ROWS:])
        print(f"{name}: {len(kept) - TEST_ROWS} + {TEST_ROWS} rows")


def write(path: Path, rows: List[Dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
