"""Task vectors of the published program for task-level mixtures of experts."""

import json
from pathlib import Path
from typing import List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_array
from attribution.common.rows import local_file
from attribution.importers.importer import Importer
from attribution.task_vectors import TaskVectors

NAMES, VECTORS = "id2task.json", "task_vecs.npy"
_EXPECTED = f"the folder of {NAMES} and {VECTORS}"


def read_task_vectors(folder: Path) -> TaskVectors:
    """
    # Raises

    `ConfigurationError` if it is no such folder, or the two files are of different tasks.
    """
    vectors = read_array(folder / VECTORS, "an array of numbers, a row for each task")
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ConfigurationError(f"{folder / VECTORS}: has the shape {vectors.shape}; a row for each task is needed")
    try:
        content = json.loads((folder / NAMES).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{folder / NAMES}: not JSON ({error})") from error
    numbers = [str(number) for number in range(len(vectors))]
    if not isinstance(content, dict) or sorted(content) != sorted(numbers):
        found = f"the keys {sorted(content)[:3]}, ..." if isinstance(content, dict) else f"a {type(content).__name__}"
        raise ConfigurationError(
            f"{folder / NAMES}: has {found}; from the number of each of the {len(vectors)} rows of {VECTORS} to its "
            "task is expected"
        )
    names = [content[number] for number in numbers]
    wrong = [name for name in names if not isinstance(name, str) or not name.isprintable() or not name]
    if wrong:
        raise ConfigurationError(f"{folder / NAMES}: {wrong[0]!r} is no name of a task")
    try:
        return TaskVectors(names, vectors.astype(np.float32))
    except ConfigurationError as error:
        raise ConfigurationError(f"{folder}: {error.message}") from error


def files_of_vectors(folder: str) -> List[Path]:
    """
    # Raises

    `ConfigurationError` if there are no such files.
    """
    if folder and not Path(folder).is_dir():
        raise ConfigurationError(f"{folder}: {_EXPECTED} is expected, and this is none")
    return [local_file(Path(folder) / name) for name in (NAMES, VECTORS)]


@Importer.register("task_vectors")
class PublishedTaskVectors(Importer):
    """
    A folder of `task_vecs.npy` and `id2task.json` (Ye et al., 2022). It becomes what `allennlp embed-tasks` writes:
    `task_vectors.npz`, a table for the `task_vectors` or `unseen_tasks` of a `task_moe_seq2seq`, and `similarity.npz`,
    the cosines between them.

    Registered as an `Importer` with name "task_vectors".

    # Parameters

    path : `str`
        The folder.
    """

    summary = "task-level MoE's folder of task_vecs.npy and id2task.json -> a table of task vectors"

    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        self._files = files_of_vectors(path)

    def files(self) -> List[Path]:
        return self._files

    def write(self, directory: Path) -> str:
        vectors = read_task_vectors(self.folder)
        vectors.save(directory / "task_vectors.npz")
        vectors.cosines().save(directory / "similarity.npz")
        return f"{len(vectors.names)} tasks, {vectors.vectors.shape[1]} numbers each"
