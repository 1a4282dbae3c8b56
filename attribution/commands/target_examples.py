"""Labelled examples of targets, by the targets' names."""

from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.common.delta_folders import matching
from attribution.data.dataset_readers import FewShotGymReader, P3JsonlReader, PromptedReader
from attribution.similarity import LabelledBatch, labelled_batches


class TargetExamples:
    """
    # Parameters

    targets : `Union[str, Dict[str, str]]`, optional
        The folder of a few-shot gym, whose tasks are the targets; a pattern of files, each with a target's rows
        (`rows/*/train.jsonl`); or by a target's name the path of its rows.
    reader : `DatasetReader`, optional
        What reads them: a `PromptedReader`; of a gym, `fewshot_gym`, without `task`.
    batch_size : `int`, optional (default = `32`)
        Examples a pass.
    max_examples : `int`, optional
        Only so many of each target, the first. By default all.
    setting : `str`, optional (default = `"targets"`)
        What messages call `targets`.
    """

    def __init__(
        self,
        targets: Optional[Union[str, Dict[str, str]]],
        reader: Optional[Lazy[DatasetReader]],
        batch_size: int = 32,
        max_examples: Optional[int] = None,
        setting: str = "targets",
    ) -> None:
        if batch_size < 1 or (max_examples is not None and max_examples < 1):
            raise ConfigurationError(
                f"batch_size is {batch_size}, max_examples {max_examples}; at least one example is needed"
            )
        if targets == "":
            raise ConfigurationError(f"{setting} is empty; the folder of a gym, or a pattern of files, is needed")
        self._setting = setting
        self._is_gym = isinstance(targets, str) and Path(targets).is_dir()
        self._paths = self._found(targets) if isinstance(targets, str) else targets or {}
        self._reader = reader
        self._batch_size = batch_size
        self._max_examples = max_examples

    @property
    def names(self) -> List[str]:
        return list(self._paths)

    def files(self, name: str) -> List[Path]:
        """Those that the examples of a target come from."""
        return self._reader_of(name).open(self._paths[name]).files()

    def batches(self, name: str, in_order: Optional[int] = None) -> List[LabelledBatch]:
        """
        # Parameters

        in_order : `int`, optional
            So many examples in each, in the order of the rows, instead of `batch_size` or fewer of similar length.

        # Raises

        `ConfigurationError`, naming the target, if it has no examples, or the answer of one is not known.
        """
        path = self._paths[name]
        try:
            instances = list(islice(self._reader_of(name).read(path), self._max_examples))
            return labelled_batches(instances, in_order or self._batch_size, path, in_order is not None)
        except ConfigurationError as error:
            raise ConfigurationError(f"the target {name!r}: {error}") from error

    def inputs(self, name: str) -> List[str]:
        """The prompts of a target as texts; its answers are not looked at."""
        examples = self._reader_of(name).examples(self._paths[name], labelled=False)
        return [example.input for example in islice(examples, self._max_examples)]

    def _found(self, place: str) -> Dict[str, str]:
        if not self._is_gym:
            files = matching(place, Path.is_file)
            if not files:
                raise ConfigurationError(f"{self._setting}: {place} is no folder, and no file matches it")
            return {name: str(path) for name, path in files.items()}
        names = sorted(path.name for path in Path(place).iterdir() if path.is_dir() and path.name[0] != ".")
        if not names:
            raise ConfigurationError(f"{self._setting}: {place} is no folder with a folder for each task")
        return {name: place for name in names}

    def _reader_of(self, name: str) -> PromptedReader:
        assert self._reader is not None
        reader: Any = self._reader.construct(task=name) if self._is_gym else self._reader.construct()
        if not isinstance(reader, FewShotGymReader if self._is_gym else PromptedReader):
            wanted = "use fewshot_gym for a folder of tasks" if self._is_gym else "it does not make prompts"
            raise ConfigurationError(f"reader: a {type(reader).__name__} cannot read `{self._setting}`; {wanted}")
        if (
            isinstance(reader, FewShotGymReader)
            and self._is_gym
            and reader.task_names(Path(self._paths[name])) != [name]
        ):
            raise ConfigurationError("reader: leave `task` out; each target is read by itself")
        if isinstance(reader, P3JsonlReader) and reader.task is None:
            reader.task = name
        if isinstance(reader, FewShotGymReader) and reader.random_answers:
            raise ConfigurationError("reader: with `answer: 'random'` scores depend on the draw; leave it out")
        return reader
