"""
`allennlp disable-experts`: what each task loses without each expert.
"""

from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data import Instance
from allennlp.data.data_loaders import SimpleDataLoader

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.mixture_archive import archive_files, check_archive, load_mixture
from attribution.common.engines import Engine
from attribution.models.task_moe import TaskMoESeq2Seq
from attribution.reports.disabled_experts import EFFECTS
from attribution.similarity import SimilarityMatrix, TaskRoutes


class DisableExperts(ArtefactJob):
    """
    The configuration of `allennlp disable-experts`.

    # Parameters

    archive : `str`
        Of a `task_moe_seq2seq`: `model.tar.gz`, or the directory of a training.
    input : `str`
        The rows to evaluate on, which say what their tasks are.
    metric : `str`, optional (default = `"loss"`)
        One of the model's, or its loss.
    tasks : `List[str]`, optional
        Only these. By default all that rows are of.
    unseen_tasks : `str`, optional
        A table with vectors of further tasks.
    overrides : `Dict[str, Any]`, optional
        Of the archive's configuration: `{ 'validation_dataset_reader.split': 'test' }`, say.
    batch_size : `int`, optional (default = `16`)
        Rows a pass.
    """

    def __init__(
        self,
        archive: str,
        input: str,
        metric: str = "loss",
        tasks: Optional[List[str]] = None,
        unseen_tasks: Optional[str] = None,
        overrides: Optional[Dict[str, Any]] = None,
        batch_size: int = 16,
    ) -> None:
        check_archive(archive)
        if not Path(input).exists():
            raise ConfigurationError(f"input: {input}: no such file or folder")
        if batch_size < 1:
            raise ConfigurationError(f"batch_size is {batch_size}; at least 1 is needed")
        self.archive = archive
        self.input = input
        self.metric = metric
        self.tasks = tasks
        self.unseen_tasks = unseen_tasks
        self.overrides = overrides or {}
        self.batch_size = batch_size

    def inputs(self) -> List[Path]:
        path = Path(self.input)
        rows = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        return [*archive_files(self.archive, self.unseen_tasks), *rows]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the score of each task without each expert, minus that with all."""
        model, archive = load_mixture(self.archive, self.overrides, self.unseen_tasks)
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        rows = self._rows(archive.validation_dataset_reader)
        names = TaskRoutes([], model.layer_names, np.zeros((0, model.layers, model.experts.count))).experts
        effects = np.zeros((len(rows), len(names)))
        for place, (task, instances) in enumerate(Tqdm.tqdm(rows.items(), desc="tasks")):
            effects[place] = self._effects(model, task, instances)
        higher_is_better = not self.metric.endswith("loss")
        SimilarityMatrix(list(rows), names, effects, higher_is_better, "expert").save(directory / EFFECTS)
        return f"{self.metric} of {len(rows)} tasks without each of {len(names)} experts, minus that with all"

    def _rows(self, reader: Any) -> Dict[str, List[Instance]]:
        """By task."""
        found: Dict[str, List[Instance]] = {}
        for instance in reader.read(self.input):
            details = instance.fields["details"].metadata if "details" in instance.fields else None
            task = (details or {}).get("task")
            if task is None:
                raise ConfigurationError(f"{self.input}: rows do not say what their task is; `fewshot_gym` reads such")
            if self.tasks is None or task in self.tasks:
                found.setdefault(task, []).append(instance)
        missing = [task for task in self.tasks or () if task not in found]
        if missing or not found:
            raise ConfigurationError(f"{self.input}: has no rows of {missing[0] if missing else 'any task'!r}")
        return found

    def _effects(self, model: TaskMoESeq2Seq, task: str, instances: List[Instance]) -> np.ndarray:
        """One that no route changes with has none."""
        whole = self._score(model, instances)
        before = model.routes_of([task]) if model.selector.by_task else None
        effects = np.zeros((model.layers, model.experts.count))
        disabled = model.selector.disabled
        for layer, expert in np.ndindex(*effects.shape):
            try:
                model.selector.disabled = [*disabled, [layer, expert]]
                model.selector.check(model.layers, model.experts.count)
                if before is None or not torch.equal(before, model.routes_of([task])):
                    effects[layer, expert] = self._score(model, instances) - whole
            finally:
                model.selector.disabled = disabled
        return effects.ravel()

    @torch.no_grad()
    def _score(self, model: TaskMoESeq2Seq, instances: List[Instance]) -> float:
        loader = SimpleDataLoader(instances, self.batch_size, vocab=model.vocab)
        loader.set_target_device(next(model.parameters()).device)
        model.get_metrics(reset=True)
        batch: Any
        for batch in loader:
            model(**batch)
        metrics = model.get_metrics(reset=True)
        if self.metric not in metrics:
            raise ConfigurationError(f"metric: the model has no {self.metric!r}; it has {', '.join(sorted(metrics))}")
        return float(metrics[self.metric])


@Subcommand.register("disable-experts")
class DisableExpertsCommand(ArtefactCommand):
    """
    Switches off each expert of a mixture in turn: `allennlp disable-experts CONFIG -s DIR` writes `effects.npz` and
    `.tsv`, a row for each task, a column for each expert: the score without it minus the score with all. `allennlp
    report DIR` shows them.

    Registered as a `Subcommand` with name "disable-experts".
    """

    job = DisableExperts
    summary = "Measure what each task loses without each expert of a mixture."
