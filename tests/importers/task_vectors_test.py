"""Task vectors of the published program, as a table of this package."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attribution.modules.moe import read_task_table
from attribution.similarity import SimilarityMatrix

NAMES = {"0": "boolq", "2": "copa", "1": "rte"}
VECTORS = np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float64)


def _write(folder: Path, names: Any, vectors: Any) -> Path:
    folder.mkdir()
    (folder / "id2task.json").write_text(names if isinstance(names, str) else json.dumps(names))
    np.save(folder / "task_vecs.npy", vectors)
    return folder


def test_a_table_of_the_tasks(allennlp: Any, tmp_path: Path) -> None:
    folder = _write(tmp_path / "published", NAMES, VECTORS)
    result = allennlp("import-artefact", "task_vectors", folder, "-s", tmp_path / "out")
    assert result.status == 0 and "3 tasks, 2 numbers each" in result.stdout, result.stderr
    table = read_task_table(tmp_path / "out")
    assert table.names == ["boolq", "rte", "copa"] and table.vectors.tolist() == VECTORS.tolist()
    cosines = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz").scores
    np.testing.assert_allclose(cosines[0], [1, 0, 0.5**0.5], atol=1e-6)


@pytest.mark.parametrize(
    "names, vectors, message",
    [
        (["boolq", "rte", "copa"], VECTORS, "id2task.json: has a list; from the number of each of the 3 rows"),
        ({"0": "boolq"}, VECTORS, "id2task.json: has the keys ['0'], ...; from the number"),
        ({"boolq": 0, "rte": 1, "copa": 2}, VECTORS, "has the keys ['boolq', 'copa', 'rte']"),
        ("{", VECTORS, "id2task.json: not JSON"),
        ({"0": "a", "1": "b", "2": "a"}, VECTORS, "'a' is there twice"),
        ({"0": "a", "1": "b", "2": 7}, VECTORS, "7 is no name of a task"),
        (NAMES, VECTORS[0], "task_vecs.npy: has the shape (2,); a row for each task"),
        (NAMES, VECTORS[:, :0], "task_vecs.npy: has the shape (3, 0); a row for each task"),
        (NAMES, VECTORS * np.nan, "that of 'boolq' is not of finite numbers"),
        (NAMES, np.array([{}, {}, {}]), "task_vecs.npy: not an array of numbers, a row for each task (it holds no num"),
    ],
)
def test_what_is_none(names: Any, vectors: Any, message: str, allennlp: Any, tmp_path: Path) -> None:
    folder = _write(tmp_path / "published", names, vectors)
    result = allennlp("import-artefact", "task_vectors", folder, "-s", tmp_path / "out")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()


def test_another_thing_than_a_folder(allennlp: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "task_vecs.npy", VECTORS)
    for path, message in (
        (tmp_path / "task_vecs.npy", "the folder of id2task.json and task_vecs.npy is expected, and this is none"),
        (tmp_path, "id2task.json: no such file"),
    ):
        result = allennlp("import-artefact", "task_vectors", path, "-s", tmp_path / "out" / "new")
        assert result.status == 1 and message in result.stderr, result.stderr
