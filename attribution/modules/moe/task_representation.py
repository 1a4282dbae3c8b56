"""From tasks' names to the vectors that are routed."""

import json
import random
from abc import abstractmethod
from pathlib import Path
from typing import Dict, List, Sequence, Union

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.task_table import TaskTable, encode_names, read_task_table


class TaskRepresentation(torch.nn.Module, Registrable):
    """
    Base of what gives a task its vector.

    # Parameters

    size : `int`
        Of a vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ConfigurationError(f"task_vectors: size is {size}; at least 1 is needed")
        self.size = size

    @abstractmethod
    def forward(self, tasks: Sequence[str]) -> torch.Tensor:
        """
        Shape: (tasks, size)

        # Raises

        `ConfigurationError`, naming the task, if it has no vector.
        """


@TaskRepresentation.register("random")
class RandomTaskRepresentation(TaskRepresentation):
    """
    A vector from N(0, 1) for any task at all, from its name. It is not trained.

    Registered as a `TaskRepresentation` with name "random".

    # Parameters

    size : `int`, optional (default = `768`)
        Of a vector.
    seed : `int`, optional (default = `0`)
        With the task's name it says which vector.
    """

    def __init__(self, size: int = 768, seed: int = 0) -> None:
        super().__init__(size)
        self.seed = seed
        self.register_buffer("place", torch.zeros(0), persistent=False)  # Where the model is.

    def forward(self, tasks: Sequence[str]) -> torch.Tensor:
        drawn: Dict[str, torch.Tensor] = {}
        for task in set(tasks):
            generator = torch.Generator().manual_seed(random.Random(f"{self.seed} {task}").getrandbits(63))
            drawn[task] = torch.randn(self.size, generator=generator)
        return torch.stack([drawn[task] for task in tasks]).to(self.place.device)  # type: ignore[arg-type]


class TabledTaskRepresentation(TaskRepresentation):
    """
    Base of those with a row for each task. The names are kept with the vectors: an archive needs no other file.

    # Parameters

    table : `TaskTable`
    trainable : `bool`
    """

    names: torch.Tensor

    def __init__(self, table: TaskTable, trainable: bool) -> None:
        super().__init__(table.vectors.size(1))
        self.register_buffer("names", encode_names(table.names))
        self.vectors = torch.nn.Parameter(table.vectors.clone(), requires_grad=trainable)
        self._rows = {name: row for row, name in enumerate(table.names)}
        self._unseen: Dict[str, torch.Tensor] = {}

    @property
    def tasks(self) -> List[str]:
        return list(self._rows)

    def add_unseen(self, path: str) -> None:
        """
        Vectors for tasks that are not in the table, from another file. They do not become part of the weights.

        # Raises

        `ConfigurationError` if they are of another size.
        """
        other = read_task_table(path)
        if other.vectors.size(1) != self.size:
            raise ConfigurationError(
                f"unseen_tasks {path}: has vectors of {other.vectors.size(1)} numbers; the model's have {self.size}"
            )
        self._unseen = dict(zip(other.names, other.vectors))

    def forward(self, tasks: Sequence[str]) -> torch.Tensor:
        missing = [task for task in tasks if task not in self._rows and task not in self._unseen]
        if missing:
            raise ConfigurationError(
                f"the task {missing[0]!r} is not in the task table of {len(self._rows)} tasks. Embed it (`allennlp "
                "embed-tasks`), and name the table that has it under `unseen_tasks` of the model, or train with it"
            )
        own = self.vectors[[self._rows.get(task, 0) for task in tasks]]
        if all(task in self._rows for task in tasks):
            return own
        unseen = [row if task in self._rows else self._unseen[task].to(row) for task, row in zip(tasks, own)]
        return torch.stack(unseen)


@TaskRepresentation.register("learned")
class LearnedTaskRepresentation(TabledTaskRepresentation):
    """
    A vector for each task, drawn from N(0, std) and trained with the model. Tasks that were not trained on have none.

    Registered as a `TaskRepresentation` with name "learned".

    # Parameters

    tasks : `Union[str, List[str]]`
        Their names; a JSON file of task lists, `{"train": [...], ...}`, whose `train` it is; or the folder of a
        few-shot gym, for all tasks that have a folder there.
    size : `int`, optional (default = `768`)
        Of a vector.
    std : `float`, optional (default = `1.0`)
        The standard deviation of what is drawn.
    """

    def __init__(self, tasks: Union[str, List[str]], size: int = 768, std: float = 1.0) -> None:
        if size < 1:
            raise ConfigurationError(f"task_vectors: size is {size}; at least 1 is needed")
        names = _names(tasks)
        super().__init__(TaskTable(names, std * torch.randn(len(names), size)), trainable=True)


@TaskRepresentation.register("table")
class TableTaskRepresentation(TabledTaskRepresentation):
    """
    Vectors from a file.

    Registered as a `TaskRepresentation` with name "table".

    # Parameters

    path : `str`
        What `allennlp embed-tasks` wrote: the directory, or its `.npz` of `names` and `vectors`; a `.safetensors` with
        a tensor for each task; or the weights of a model that has a table.
    trainable : `bool`, optional (default = `False`)
        Whether they are trained further.
    """

    def __init__(self, path: str, trainable: bool = False) -> None:
        super().__init__(read_task_table(path), trainable)


def _names(tasks: Union[str, List[str]]) -> List[str]:
    if isinstance(tasks, str):
        path = Path(tasks)
        if path.is_dir():
            tasks = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and folder.name[0] != ".")
        else:
            try:
                tasks = json.loads(path.read_text(encoding="utf-8-sig"))["train"]
            except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
                raise ConfigurationError(
                    f"task_vectors: tasks: {path} is no folder of tasks, and not read as JSON with a list `train` "
                    f"({error!r})"
                ) from error
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, str) for task in tasks):
        raise ConfigurationError(f"task_vectors: tasks: {tasks!r:.80} is no list of names, or an empty one")
    if len(set(tasks)) < len(tasks) or any("\n" in task for task in tasks):
        raise ConfigurationError("task_vectors: tasks: a name is there twice, or has a line end in it")
    return tasks
