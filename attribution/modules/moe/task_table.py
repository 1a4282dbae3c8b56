"""
Task vectors on disk: `.npz` with `names` and `vectors`, or `.safetensors` with a tensor for each task; and in the
weights of a model.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Union

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import load_tensors
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from attribution.common.arrays import read_arrays

IN_WEIGHTS = "task_vectors."

_VECTORS = "task_vectors.npz"


class TaskTable(NamedTuple):
    """Vectors of tasks."""

    names: List[str]
    vectors: torch.Tensor
    """float32. Shape: (tasks, size)"""

    def save(self, path: Union[str, Path]) -> None:
        """As the ending of `path` says."""
        if Path(path).suffix == ".safetensors":
            save_file({name: vector.clone() for name, vector in zip(self.names, self.vectors)}, path)
        else:
            np.savez(path, names=np.array(self.names), vectors=self.vectors.numpy())


def table_file(path: Union[str, Path]) -> Path:
    """
    `path` itself or, of the directory that `allennlp embed-tasks` wrote, the table in it.

    # Raises

    `ConfigurationError` if there is none.
    """
    file = Path(path)
    file = file / _VECTORS if file.is_dir() else file
    if not file.is_file():
        raise ConfigurationError(f"task table {path}: no such file; `allennlp embed-tasks` writes such")
    return file


def read_task_table(path: Union[str, Path]) -> TaskTable:
    """
    # Parameters

    path : `str`
        `.npz`, `.safetensors`, the weights of a model with a task table (`.th`), or the directory that `allennlp
        embed-tasks` wrote.

    # Raises

    `ConfigurationError`, naming the file, if it is none, a vector is not of the others' size or has no numbers, or a
    name has a line end in it.
    """
    file = table_file(path)
    try:
        if file.suffix == ".npz":
            arrays = read_arrays(file, ("names", "vectors"), "a task table")
            names, vectors = [str(name) for name in arrays["names"]], list(torch.tensor(arrays["vectors"]))
        elif file.suffix == ".safetensors":
            tensors = load_file(file)
            names, vectors = list(tensors), list(tensors.values())
        else:
            return stored_table(load_tensors(file, map_location="cpu"), str(path))
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise ConfigurationError(
            f"task table {path}: not read ({error}); an .npz has `names` and `vectors`, a .safetensors a tensor a task"
        ) from error
    sizes = sorted({tuple(vector.shape) for vector in vectors})
    if len(sizes) != 1 or len(sizes[0]) != 1 or len(set(names)) < len(names) or len(names) != len(vectors):
        raise ConfigurationError(
            f"task table {path}: has {len(names)} names and {len(vectors)} vectors of the shapes {sizes}; every task "
            "needs one vector, and all of them one size"
        )
    if any("\n" in name for name in names):
        raise ConfigurationError(f"task table {path}: the name of a task has a line end in it; rename the task")
    stacked = torch.stack(vectors).float()
    bad = [name for name, vector in zip(names, stacked) if not vector.isfinite().all()]
    if bad:
        raise ConfigurationError(f"task table {path}: the vector of {bad[0]!r} has values that are no numbers")
    return TaskTable(names, stacked)


def stored_table(state: Dict[str, torch.Tensor], where: str) -> TaskTable:
    """
    That of a model's state dict.

    # Raises

    `ConfigurationError` if it has none.
    """
    if f"{IN_WEIGHTS}names" not in state:
        raise ConfigurationError(f"{where}: has no task table; repeat the `task_vectors` of its configuration")
    names = decode_names(state[f"{IN_WEIGHTS}names"])
    return TaskTable(names, state[f"{IN_WEIGHTS}vectors"].detach().float().clone())


def encode_names(names: List[str]) -> torch.Tensor:
    """As bytes: archives hold tensors alone."""
    return torch.frombuffer(bytearray("\n".join(names).encode() + b"\n"), dtype=torch.uint8).clone()


def decode_names(encoded: torch.Tensor) -> List[str]:
    return bytes(encoded.cpu().tolist()).decode().split("\n")[:-1]
