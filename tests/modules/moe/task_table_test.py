from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import save_file

from attribution.modules.moe import TaskTable, read_task_table
from attribution.modules.moe.task_table import decode_names, encode_names
from attribution.task_vectors import TaskVectors


@pytest.mark.parametrize("name", ["table.npz", "table.safetensors"])
def test_it_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    table = TaskTable(["boolq", "wiki-qa é"], torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    table.save(tmp_path / name)
    read = read_task_table(tmp_path / name)
    assert read.names == table.names and torch.equal(read.vectors, table.vectors)


def test_what_embed_tasks_wrote(tmp_path: Path) -> None:
    TaskVectors(["a", "b"], np.array([[1.0], [2.0]], dtype=np.float32)).save(tmp_path / "task_vectors.npz")
    for path in (tmp_path, tmp_path / "task_vectors.npz"):
        assert read_task_table(path).names == ["a", "b"] and read_task_table(path).vectors.tolist() == [[1.0], [2.0]]


def test_names_as_bytes() -> None:
    assert decode_names(encode_names(["a", "é b"])) == ["a", "é b"]


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"names": ["a"]}, "vectors"),
        ({"names": ["a", "b"], "vectors": [[1.0]]}, "2 names and 1 vectors"),
        ({"names": ["a", "a"], "vectors": [[1.0], [2.0]]}, "every task needs one vector"),
        ({"names": ["a"], "vectors": [[np.nan]]}, "the vector of 'a' has values that are no numbers"),
        ({"names": [], "vectors": []}, "0 names"),
        ({"names": ["a"], "vectors": [["x"]]}, "not read"),
        ({"names": ["a"], "vectors": 1.0}, "not read"),
        ({"names": ["a\nb"], "vectors": [[1.0]]}, "has a line end in it"),
        ({"names": np.array([object()], dtype=object), "vectors": [[1.0]]}, "not a task table .it holds no numbers"),
    ],
)
def test_bad_tables(arrays: Any, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ConfigurationError, match=f"bad.npz: .*{message}"):
        read_task_table(tmp_path / "bad.npz")


def test_vectors_of_two_sizes_and_files_that_are_none(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2), "b": torch.zeros(3)}, tmp_path / "two.safetensors")
    with pytest.raises(ConfigurationError, match="all of them one size"):
        read_task_table(tmp_path / "two.safetensors")
    for name in ("cut.npz", "cut.safetensors"):
        (tmp_path / name).write_bytes(b"PK\x03\x04none")
        with pytest.raises(ConfigurationError, match=name):
            read_task_table(tmp_path / name)
    np.save(tmp_path / "array.npy", np.zeros((2, 2)))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    with pytest.raises(ConfigurationError, match="array.npz: not a task table .it is one array without a name"):
        read_task_table(tmp_path / "array.npz")
    with pytest.raises(ConfigurationError, match="nowhere.npz: no such file"):
        read_task_table(tmp_path / "nowhere.npz")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.th")
    with pytest.raises(ConfigurationError, match="other.th: has no task table"):
        read_task_table(tmp_path / "other.th")
