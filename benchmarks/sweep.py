"""
16 short trainings of a tiny T5 (four learning rates, four seeds), each tested afterwards, by one `allennlp sweep`
against 16 times `allennlp train` and `allennlp evaluate`, a process each. Run: `python -m benchmarks.sweep [COUNT]`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Dict, List

tiny: Any = import_module("tests.conftest")
LEARNING_RATES, SEEDS = [0.001, 0.002, 0.005, 0.01], [1, 2, 3, 4]
ALLENNLP = [sys.executable, "-m", "allennlp"]


def write(folder: Path, seeds: List[int]) -> None:
    """The configurations of a training and of the sweep, and rows."""
    model = str(tiny.build_model("t5", folder / "model"))
    rows = str(folder / "rows.jsonl")
    Path(rows).write_text("".join(json.dumps(row) + "\n" for row in tiny.ROWS * 4))
    config: Dict[str, Any] = {
        "dataset_reader": {"type": "p3_jsonl", "model_name": model},
        "train_data_path": rows,
        "validation_data_path": rows,
        "vocabulary": {"type": "empty"},
        "model": {"type": "seq2seq", "model_name": model},
        "data_loader": {"batch_size": 8, "shuffle": True},
        "trainer": {"num_epochs": 2, "optimizer": {"type": "adam"}, "cuda_device": -1},
    }
    settings = "random_seed: s, numpy_seed: s, pytorch_seed: s, trainer+: { optimizer+: { lr: lr } }"
    variables = "local s = std.parseInt(std.extVar('SEED')); local lr = std.parseJson(std.extVar('LEARNING_RATE'));"
    (folder / "train.jsonnet").write_text(f"{variables} {json.dumps(config)} + {{ {settings} }}")
    sweep = {
        "axes": {"LEARNING_RATE": LEARNING_RATES, "SEED": seeds},
        "steps": {
            "model": {"command": "train", "config": "train.jsonnet"},
            "test": {"command": "evaluate", "archive": "{model}/model.tar.gz", "input": rows},
        },
        "repeat": ["SEED"],
        "choose": ["LEARNING_RATE"],
        "development": "model.best_validation_accuracy",
        "metrics": ["test.accuracy"],
    }
    (folder / "sweep.json").write_text(json.dumps(sweep))


def run(*arguments: Any, **variables: Any) -> None:
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    subprocess.run([*ALLENNLP, *map(str, arguments)], env=environment, check=True, capture_output=True)


def one_by_one(folder: Path, seeds: List[int]) -> None:
    for rate, seed in product(LEARNING_RATES, seeds):
        place = folder / f"{rate}_{seed}"
        run("train", folder / "train.jsonnet", "-s", place, LEARNING_RATE=rate, SEED=seed)
        run("evaluate", place / "model.tar.gz", folder / "rows.jsonl", "--output-file", place / "test.json")


def main() -> None:
    seeds = SEEDS[: int(sys.argv[1]) // len(LEARNING_RATES)] if len(sys.argv) > 1 else SEEDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, seeds)
        start = time.perf_counter()
        run("sweep", folder / "sweep.json", "-s", folder / "out")
        swept = time.perf_counter() - start
        one_by_one(folder, seeds)
        processes = time.perf_counter() - start - swept
        for rate, seed in product(LEARNING_RATES, seeds):
            metrics = json.loads((folder / "out/test" / f"LEARNING_RATE={rate},SEED={seed}/metrics.json").read_text())
            assert metrics == json.loads((folder / f"{rate}_{seed}" / "test.json").read_text())
    count = len(LEARNING_RATES) * len(seeds)
    print(f"{count} trainings and tests: {swept:.1f} s; processes {processes:.1f} s: {processes / swept:.1f} times")


if __name__ == "__main__":
    main()
