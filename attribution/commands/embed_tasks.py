"""
`allennlp embed-tasks`: a vector for each task, for the router of a task-level mixture of experts.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data import DatasetReader
from allennlp.models import Model

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.target_examples import TargetExamples
from attribution.common.delta_folders import delta_folders
from attribution.common.engines import Engine
from attribution.common.kept import check_alike, missing_arrays, write_array
from attribution.common.manifest import Identity
from attribution.common.pretrained import model_identity
from attribution.modules.delta.delta_folder import CONFIG, WEIGHTS
from attribution.similarity import ResidentModel
from attribution.task_vectors import TaskEmbedder, TaskRows, TaskVectors, principal_components

_VECTORS = "vectors"


class TaskEmbedding(ArtefactJob):
    """
    The configuration of `allennlp embed-tasks`.

    # Parameters

    embedder : `TaskEmbedder`
    tasks : `Union[str, Dict[str, str]]`
        The folder of a few-shot gym, or by a task's name the path of its rows.
    task_names : `List[str]`, optional
        Of these tasks only.
    reader : `DatasetReader`, optional
        What reads them: a `PromptedReader`; of a gym, `fewshot_gym`, without `task`.
    deltas : `str`, optional
        Of `fisher` and `tuned_text`: a pattern of folders (`runs/*/delta`), each with the delta that was tuned on a
        task. What stands for the asterisks is the task's name.
    model : `Model`, optional
        Their base model: a `PromptedModel`, without `delta`.
    dimension : `int`, optional
        Reduce the vectors to so many principal components, which are those of these tasks together. By default they
        stay as they are.
    batch_size : `int`, optional (default = `32`)
        Examples a pass.
    max_examples : `int`, optional
        Only so many of each task, the first. By default all.
    """

    goes_on = True

    def __init__(
        self,
        embedder: TaskEmbedder,
        tasks: Union[str, Dict[str, str]],
        task_names: Optional[List[str]] = None,
        reader: Optional[Lazy[DatasetReader]] = None,
        deltas: Optional[str] = None,
        model: Optional[Lazy[Model]] = None,
        dimension: Optional[int] = None,
        batch_size: int = 32,
        max_examples: Optional[int] = None,
    ) -> None:
        for setting, value, needed in (
            ("reader", reader, embedder.needs_inputs),
            ("deltas", deltas, embedder.needs_delta),
            ("model", model, embedder.needs_delta),
        ):
            if needed and not value:
                raise ConfigurationError(f"{setting} is missing: this embedder needs it")
        self.embedder = embedder
        self.examples = TargetExamples(tasks, reader, batch_size, max_examples, "tasks")
        self.tasks = self.examples.names if task_names is None else task_names
        missing = [name for name in self.tasks if name not in self.examples.names]
        if missing or not self.tasks:
            setting = "tasks" if task_names is None else "task_names"
            what = f"there is no {missing[0]!r}" if missing else "it is empty"
            raise ConfigurationError(f"{setting}: {what}; there are {', '.join(self.examples.names) or 'none'}")
        self.deltas = delta_folders(deltas, "deltas") if embedder.needs_delta and deltas else {}
        without = [name for name in self.tasks if name not in self.deltas]
        if embedder.needs_delta and without:
            raise ConfigurationError(f"deltas: there is none of the task {without[0]!r}: tune it, or name `task_names`")
        if dimension is not None and not 1 <= dimension < len(self.tasks):
            raise ConfigurationError(f"dimension is {dimension}; {len(self.tasks)} tasks have {len(self.tasks) - 1}")
        self.model = model
        self.dimension = dimension

    def inputs(self) -> List[Path]:
        """The rows of the tasks, and the deltas."""
        rows = [file for name in self.tasks if self.embedder.needs_inputs for file in self.examples.files(name)]
        return [*rows, *(folder / name for folder in self._own_deltas() for name in (CONFIG, WEIGHTS))]

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        identity = {**super().identity(configuration), "tasks": self.tasks}
        embedder = configuration["embedder"]
        settings = {**(embedder if isinstance(embedder, dict) else {}), **configuration}
        for part in ("model", "encoder"):
            of_part = settings.get(part)
            name = of_part.get("model_name") if isinstance(of_part, dict) else None
            if name:
                identity[part] = model_identity(name)
        return identity

    def run(self, directory: Path, engine: Engine) -> str:
        """Embeds what is not in `directory` yet, and writes `task_vectors.npz`, and `similarity.npz` and `.tsv`."""
        folder = directory / _VECTORS
        folder.mkdir(exist_ok=True)
        files = [folder / f"{number}.npy" for number in range(len(self.tasks))]
        unwritten = missing_arrays({file: (None,) for file in files}, ["float32", "float64"])
        missing = [number for number, file in enumerate(files) if file in unwritten]
        vectors = engine.map(_Embed(self), [self.tasks[number] for number in missing])
        done = len(self.tasks) - len(missing)
        for number, vector in Tqdm.tqdm(
            zip(missing, vectors), initial=done, total=len(self.tasks), desc="embedding", unit="task"
        ):
            write_array(files[number], vector)
        check_alike(files)
        found = np.stack([np.load(file) for file in files])
        if self.dimension is not None:
            found = principal_components(found, self.dimension)
        whole = TaskVectors(self.tasks, found.astype(np.float32))
        whole.save(directory / "task_vectors.npz")
        whole.cosines().save(directory / "similarity.npz")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return f"{len(self.tasks)} tasks, {found.shape[1]} numbers each"

    def rows(self, name: str) -> TaskRows:
        """What the embedder wants to know of a task."""
        inputs = self.examples.inputs(name) if self.embedder.needs_inputs and not self.embedder.needs_delta else []
        batches = self.examples.batches(name) if self.embedder.needs_delta else []
        return TaskRows(name, inputs, batches, self.deltas.get(name))

    def resident_model(self) -> Optional[ResidentModel]:
        """With the first task's delta in it; none if the embedder needs none."""
        return ResidentModel(self.model, self._own_deltas()[0]) if self.embedder.needs_delta and self.model else None

    def _own_deltas(self) -> List[Path]:
        return [self.deltas[name] for name in self.tasks if name in self.deltas]


class _Embed:
    """One task after the other, with one model."""

    def __init__(self, job: TaskEmbedding) -> None:
        self.job = job
        self.model: Optional[ResidentModel] = None

    def __call__(self, name: str) -> np.ndarray:
        rows = self.job.rows(name)
        self.model = self.model or self.job.resident_model()
        if self.model is not None and rows.delta is not None:
            self.model.put(rows.delta)
            rows = rows._replace(batches=[batch.to(self.model.device) for batch in rows.batches])
        return self.job.embedder.embed(rows, self.model)


@Subcommand.register("embed-tasks")
class EmbedTasks(ArtefactCommand):
    """
    Makes a vector of each task: `allennlp embed-tasks CONFIG -s DIR`. `DIR/task_vectors.npz` is for the model
    `task_moe_seq2seq`, `DIR/similarity.npz` has the cosines between them. If it is stopped at any moment, the same
    command goes on after the last task, and ends with the same bytes.

    Registered as a `Subcommand` with name "embed-tasks".
    """

    job = TaskEmbedding
    summary = "Make a vector of each task, for the router of a mixture of experts."
