import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from attribution.similarity import SimilarityMatrix

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "training_config" / "checkpoint_zoo" / "compare_agents.jsonnet"
SETTINGS = {"K": "3", "AGENTS": "4", "NUM_TASKS": "3", "RANDOM_SETS": "2", "TEST": "20", "PROBE": "20"}


@pytest.fixture
def compare(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """(variables) -> the command's result, on the digits that the script writes; it writes to `out`."""
    images = tmp_path / "digits.npz"
    subprocess.run([sys.executable, ROOT / "shell_scripts/checkpoint_zoo/digits.py", images], check=True)

    def run(*arguments: str, **variables: str) -> Any:
        for name, value in {**SETTINGS, "IMAGES_PATH": str(images), **variables}.items():
            monkeypatch.setenv(name, value)
        return allennlp("compare-agents", CONFIG, "-s", tmp_path / "out", *arguments)

    return run


def test_ways_to_choose_agents_of_digits(compare: Any, tmp_path: Path) -> None:
    result = compare("-o", '{"epochs": 3}')
    assert result.status == 0, result.stderr
    assert "mean accuracy on 2 tasks\n  agents  selected      peek    random\n       1 " in result.stdout
    content = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert list(content) == ["selected", "peek", "random"]
    for way, sets in (("selected", 1), ("peek", 1), ("random", 2)):
        assert np.shape(content[way]["accuracy"]) == (sets, 3, 3), way
        assert [[len(one) for one in each] for each in content[way]["agents"]] == [[1, 2, 3]] * sets
        assert np.mean(content[way]["accuracy"]) > 0.6  # Of four classes.
    # Peek's first is the best single agent on the first task.
    first = content["peek"]["agents"][0][0]
    singles = {each[0][0]: accuracy[0][0] for one in content.values() for each, accuracy in zip(*one.values())}
    assert singles[first[0]] == max(singles.values())
    assert SimilarityMatrix.load(tmp_path / "out" / "similarity.npz").scores.shape == (4, 4)


def test_what_does_not_fit(compare: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    for variables, message in (
        ({"IMAGES_PATH": "/nowhere.npz"}, "/nowhere.npz: no such file"),
        ({"K": "5"}, "k is 5, from 1 to the 4 agents"),
        ({"K": "4"}, "random_sets is 2; of 4 agents there are 1 sets of 4"),
        ({"K": "3", "RANDOM_SETS": "5"}, "random_sets is 5; of 4 agents there are 4 sets of 1"),
        ({"K": "3", "AGENTS": "300", "RANDOM_SETS": "2"}, "300 different sets of 5 classes"),
        ({"AGENTS": "4", "IMAGES_PATH": str(path)}, "other.npz: not an .npz with images and labels"),
    ):
        path.write_text("no archive")
        result = compare(**variables)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert not (tmp_path / "out").exists()
    for content, message in (
        ({"images": np.ones((3, 2))}, "labels"),
        ({"images": np.ones((3, 2)), "labels": np.ones(3)}, "labels float64 of shape"),
        ({"images": np.ones((3, 2)), "labels": np.arange(4)}, "has 3 images ((3, 2)) and 4 labels"),
        ({"images": np.ones((3, 0)), "labels": np.arange(3)}, "has 3 images ((3, 0)) and 3 labels"),
        ({"images": np.full((3, 2), np.nan), "labels": np.arange(3)}, "a value that is no pixel's"),
        (
            {"images": np.full((3, 2), 1e308), "labels": np.arange(3)},
            "a value that is no pixel's: NaN, or beyond 65,535",
        ),
    ):
        np.savez(path, **content)
        result = compare(IMAGES_PATH=str(path))
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
