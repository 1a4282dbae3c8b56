"""
`allennlp squeeze`: one task's way through a mixture of experts, as a model without experts.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides
from allennlp.models.archival import CONFIG_NAME, get_weights_path, load_archive

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.models.squeeze import WAYS, squeeze
from attribution.models.task_moe import TaskMoESeq2Seq


class Squeeze(ArtefactJob):
    """
    What `allennlp squeeze` was asked for.

    # Parameters

    archive : `str`
        Of a `task_moe_seq2seq`: `model.tar.gz`, or the directory of a training.
    task : `str`
        Whose way through it.
    experts : `str`, optional (default = `"argmax"`)
        `argmax`, the expert with the largest weight of each layer, or `average`, all by their weights.
    unseen_tasks : `str`, optional
        A table with the task's vector, if the model has none.
    """

    def __init__(self, archive: str, task: str, experts: str = "argmax", unseen_tasks: Optional[str] = None) -> None:
        if not Path(archive).exists():
            raise ConfigurationError(f"{archive}: no such archive")
        if experts not in WAYS:
            raise ConfigurationError(f"experts {experts!r} is none of {', '.join(WAYS)}")
        self.archive = archive
        self.task = task
        self.experts = experts
        self.unseen_tasks = unseen_tasks

    def inputs(self) -> List[Path]:
        path = Path(self.archive)
        files = [path] if path.is_file() else [path / CONFIG_NAME, Path(get_weights_path(path))]
        missing = [str(file) for file in files if not file.is_file()]
        if missing:
            raise ConfigurationError(f"{missing[0]}: no such file; the directory of a finished training has it")
        return [*files, *([Path(self.unseen_tasks)] if self.unseen_tasks else [])]

    def run(self, directory: Path, engine: Engine) -> str:
        overrides: Dict[str, Any] = {"model.unseen_tasks": self.unseen_tasks} if self.unseen_tasks else {}
        model = load_archive(self.archive, overrides=overrides).model
        if not isinstance(model, TaskMoESeq2Seq):
            raise ConfigurationError(f"{self.archive}: a {type(model).__name__} has no experts to squeeze")
        squeeze(model, self.task, directory, self.experts)
        kind = "a model" if model.experts.trains_all else "a delta"
        return f"{kind} without experts for the task {self.task!r}"


@Subcommand.register("squeeze")
class SqueezeCommand(ArtefactCommand):
    """
    Writes the model that one task makes of a mixture of experts: `allennlp squeeze ARCHIVE -s DIR --task TASK`. DIR is
    then a folder that `seq2seq` and `transformers` load or, of LoRA and adapter experts, the folder of a delta.

    Registered as a `Subcommand` with name "squeeze".
    """

    job = Squeeze
    summary = "Write one task's way through a mixture of experts as a model without experts."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("archive", type=str, help="model.tar.gz of a task_moe_seq2seq, or its directory")
        subparser.add_argument("--task", required=True, type=str, help="the task")
        subparser.add_argument("--experts", choices=WAYS, default="argmax", help="of each layer: the best, or all")
        subparser.add_argument("--unseen-tasks", type=str, help="a task table, if the model does not know the task")

    def params(self, args: argparse.Namespace) -> Params:
        settings = {"archive": args.archive, "task": args.task, "experts": args.experts}
        if args.unseen_tasks is not None:
            settings["unseen_tasks"] = args.unseen_tasks
        return Params(with_overrides(settings, parse_overrides(args.overrides)))
