"""Which experts tasks take: the routes of a mixture of experts, as a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_arrays, texts_of
from attribution.common.tables import write_table
from attribution.similarity.similarity_matrix import SimilarityMatrix


@dataclass(frozen=True)
class TaskRoutes:
    """
    # Parameters

    tasks : `List[str]`
        Their names.
    layers : `List[str]`
        The names of the layers that have experts.
    weights : `np.ndarray`
        Of each task over the experts of each layer. float64. Shape: (tasks, layers, experts)
    categories : `List[str]`, optional
        That of each task, or an empty text. By default there are none.
    """

    tasks: List[str]
    layers: List[str]
    weights: np.ndarray
    categories: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or self.weights.shape[:2] != (len(self.tasks), len(self.layers)):
            raise ValueError(
                f"weights of shape {self.weights.shape} for {len(self.tasks)} tasks and {len(self.layers)} layers"
            )
        if self.weights.dtype.kind != "f" or not self.weights.shape[2] or not np.isfinite(self.weights).all():
            raise ValueError(f"weights of shape {self.weights.shape} and type {self.weights.dtype} that are no numbers")
        if len(self.categories) not in (0, len(self.tasks)):
            raise ValueError(f"{len(self.categories)} categories for {len(self.tasks)} tasks")

    @property
    def experts(self) -> List[str]:
        """A name for each expert, layer by layer."""
        return [f"{layer} expert {expert}" for layer in self.layers for expert in range(self.weights.shape[2])]

    @property
    def flat(self) -> np.ndarray:
        """A column for each of `experts`. Shape: (tasks, layers * experts)"""
        return self.weights.reshape(len(self.tasks), -1)

    def order(self) -> List[int]:
        """The tasks by category, those without one last; within a category as they are."""
        categories = self.categories or [""] * len(self.tasks)
        return sorted(range(len(self.tasks)), key=lambda row: (not categories[row], categories[row]))

    def similarity(self) -> SimilarityMatrix:
        """
        The cosine of two tasks' weights in each layer. Of routes with one expert a layer the mean over layers is the
        share of layers in which both take the same one.
        """
        unit = self.weights / np.linalg.norm(self.weights, axis=2, keepdims=True)
        scores = np.einsum("tle,sle->tsl", unit, unit)
        return SimilarityMatrix(self.tasks, self.tasks, scores, True, "layer", self.layers)

    def save(self, path: Path) -> None:
        """Writes `path` (.npz) and, for the eye, a .tsv beside it with a line for each task."""
        texts = {"tasks": self.tasks, "layers": self.layers, "categories": list(self.categories)}
        np.savez(
            path,
            weights=self.weights,
            **{name: np.array(values, dtype=str) for name, values in texts.items()},  # type: ignore[arg-type]
        )
        categories = self.categories or [""] * len(self.tasks)
        lines = [["task", "category", *self.experts]]
        lines += [
            [task, category, *map(repr, row)] for task, category, row in zip(self.tasks, categories, self.flat.tolist())
        ]
        write_table(path.with_suffix(".tsv"), lines)

    @classmethod
    def load(cls, path: Union[str, Path]) -> "TaskRoutes":
        """
        # Raises

        `ConfigurationError` if the file is not one that `save` wrote. Nothing in it is executed.
        """
        saved = read_arrays(path, ("tasks", "layers", "weights", "categories"), "routes")
        try:
            if saved["categories"].dtype.kind != "U" or saved["categories"].ndim != 1:
                raise ValueError(f"categories of type {saved['categories'].dtype}")
            tasks, layers = texts_of(saved["tasks"]), texts_of(saved["layers"])
            return cls(tasks, layers, saved["weights"], saved["categories"].tolist())
        except ValueError as error:
            raise ConfigurationError(f"{path}: not routes ({error})") from error


def routes_of_model(model: Any, tasks: Optional[List[str]] = None, temperature: Optional[float] = None) -> TaskRoutes:
    """
    # Parameters

    model : `TaskMoESeq2Seq`
    tasks : `List[str]`, optional (default = all of its task table)
    temperature : `float`, optional
        Instead of the routes that evaluation takes, the softmax of the router's logits at this temperature.

    # Raises

    `ConfigurationError` if the model has no routes, or no names of tasks.
    """
    if not hasattr(model, "routes_of"):
        raise ConfigurationError(f"a {type(model).__name__} has no routes; a task_moe_seq2seq has")
    names = tasks or getattr(model.task_vectors, "tasks", None)
    if not names:
        raise ConfigurationError("tasks: this model has no table of tasks; say which ones")
    if len(set(names)) < len(names):
        raise ConfigurationError("tasks: a name is there twice")
    # Shape: (tasks, layers, experts)
    weights = model.routes_of(names, temperature).transpose(0, 1)
    return TaskRoutes(list(names), model.layer_names, weights.double().cpu().numpy())
