"""Small directories as the commands write them."""

import csv
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import pytest

from attribution.similarity import SimilarityMatrix

TASKS = ["boolq", "copa", "rte"]
ARMS = ["none", "bm25", "dense"]

# By task and arm, for the seeds 1 and 2.
ACCURACY = {
    ("boolq", "none"): (0.50, 0.52),
    ("boolq", "bm25"): (0.60, 0.64),
    ("boolq", "dense"): (0.55, 0.57),
    ("copa", "none"): (0.0, 0.0),
    ("copa", "bm25"): (0.10, 0.20),
    ("copa", "dense"): (0.0, 0.0),
    ("rte", "none"): (0.80, 0.80),
    ("rte", "bm25"): (0.70, 0.74),
}


def write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_epochs(folder: Path, epochs: Sequence[Dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, numbers in enumerate(epochs):
        (folder / f"metrics_epoch_{number}.json").write_text(json.dumps(numbers))


def write_sweep(directory: Path, tasks: Sequence[str] = TASKS) -> Path:
    """Tasks, arms, two learning rates of which the second is chosen, and two seeds; one cell failed."""
    directory.mkdir()
    axes = {"TASK": list(tasks), "ARM": ARMS, "LEARNING_RATE": [0.001, 0.0005], "SEED": [1, 2]}
    settings = {
        "axes": axes,
        "steps": {},
        "repeat": ["SEED"],
        "choose": ["LEARNING_RATE"],
        "development": "model.best_validation_accuracy",
        "metrics": ["test.accuracy"],
    }
    (directory / "sweep.json").write_text(json.dumps(settings))
    columns = ["model.best_validation_accuracy", "test.accuracy"]
    runs: List[List[Any]] = [["TASK", "ARM", "LEARNING_RATE", "SEED", *columns]]
    kinds = [f"{name}_{kind}" for name in columns for kind in ("mean", "std")]
    results: List[List[Any]] = [["TASK", "ARM", "LEARNING_RATE", "n", *kinds]]
    for name, task in zip(TASKS, tasks):
        for arm in ARMS:
            found = ACCURACY.get((name, arm), ())
            for rate in ("0.001", "0.0005"):
                for seed in (1, 2):
                    score = found[seed - 1] if found and rate == "0.0005" else 0.01 if found else ""
                    runs.append([task, arm, rate, seed, score, score])
            statistics = [np.mean(found), np.std(found, ddof=1)] if found else ["", ""]
            results.append([task, arm, "0.0005" if found else "", len(found), *statistics, *statistics])
    write_csv(directory / "runs.csv", runs)
    write_csv(directory / "results.csv", results)
    for task in tasks[:2]:
        for rate in ("0.001", "0.0005"):
            for seed in (1, 2):
                folder = directory / "model" / f"TASK={task},ARM=bm25,LEARNING_RATE={rate},SEED={seed}"
                write_epochs(
                    folder,
                    [
                        {"epoch": number, "training_loss": seed / (number + 1), "validation_accuracy": 0.1 * number}
                        for number in range(2 + seed)
                    ],
                )
    return directory


def write_matrix(path: Path, parts: int = 0, higher_is_better: bool = True) -> SimilarityMatrix:
    """Of four members, two pairs."""
    scores = np.array([[1.0, 0.2, 0.9, 0.1], [0.2, 1.0, 0.3, 0.8], [0.9, 0.3, 1.0, 0.2], [0.1, 0.8, 0.2, 1.0]])
    names = ["boolq", "copa", "rte", "wic"]
    if parts:
        scores = np.stack([scores * (number + 1) for number in range(parts)], axis=2)
    blocks = [f"encoder.block.{number}" for number in range(parts)]
    matrix = SimilarityMatrix(names, names, scores, higher_is_better, "block" if parts else "model", blocks)
    path.parent.mkdir(parents=True, exist_ok=True)
    matrix.save(path)
    return matrix


def write_composition(folder: Path, tasks: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "rows": 4 * tasks,
        "dropped": {"equal": 3},
        "tasks": {
            f"task_{number}": {"rows": 4, "share": 1 / tasks, "pool_rows": 10, "pool_share": 0.1}
            for number in range(tasks)
        },
    }
    (folder / "composition.json").write_text(json.dumps(content))


def write_ensemble(directory: Path) -> Path:
    for target, weights in (("copa", {"rte": 0.75, "wic": 0.25}), ("rte", {"copa": 0.5, "wic": 0.5})):
        (directory / target).mkdir(parents=True)
        report = {"target": target, "effective_sources": 1.6 if target == "copa" else 2.0, "weights": weights}
        (directory / target / "weights.json").write_text(json.dumps(report))
    return directory


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "sweep")
