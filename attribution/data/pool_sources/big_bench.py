"""BIG-bench's JSON tasks as rows of a pool."""

import random
from math import isfinite
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.common.rows import Row, RowError
from attribution.data.pool_sources.pool_source import PoolSource

_FILE = "task.json"
_PREFIXES = {"task_prefix": "", "example_input_prefix": "\nQ: ", "example_output_prefix": "\nA: "}
_CHOICE = ("choice_prefix", "\n  choice: ")


@PoolSource.register("big_bench")
class BigBenchSource(PoolSource):
    """
    The examples of JSON tasks of BIG-bench (Srivastava et al., 2022, https://arxiv.org/abs/2206.04615) without shots,
    as its own programs write them: the task's prefix, then the example between its prefixes, with the choices below
    where the task says so. White space around the whole is removed. A row is of the task that its folder is called,
    its id is `task|all|default|#number`, as ReCross's.

    Registered as a `PoolSource` with name "big_bench".

    # Parameters

    path : `str`
        The folder of a task, or of several: each `task.json` in it, at any depth, in the order of their names.
    keep : `List[str]`, optional
        `references`, all of them: goes into the pool beside the pool's own fields.
    seed : `int`, optional (default = `0`)
        In what order a row's choices stand in its prompt, and which of several best ones is the target.

    # Raises

    `ConfigurationError` if there is no such file, or one is no task of this format.
    """

    def __init__(self, path: str, keep: Optional[List[str]] = None, seed: int = 0) -> None:
        folder = Path(path)
        super().__init__(folder.name, split="all", template="default", keep=keep)
        self._files = sorted(folder.rglob(_FILE))
        if not self._files:
            raise ConfigurationError(f"big_bench: {path} has no {_FILE}, in whatever folder of it")
        self._seed = seed

    def inputs(self) -> List[Path]:
        return self._files

    def read(self) -> Iterator[Union[Row, RowError]]:
        for file in self._files:
            name, (task, _) = file.absolute().parent.name, read_json_object(file)
            settings = {**_PREFIXES, _CHOICE[0]: _CHOICE[1], **task}
            examples, listed = task.get("examples"), task.get("append_choices_to_input", True)
            wrong = [name for name in (*_PREFIXES, _CHOICE[0]) if not isinstance(settings[name], str)]
            if not isinstance(examples, list) or wrong or not isinstance(listed, bool):
                what = f"a text `{wrong[0]}`" if wrong else "a list `examples`, and true or false where it says so"
                raise ConfigurationError(f"{file}: no JSON task of BIG-bench; {what} is needed")
            for number, example in enumerate(examples):
                where = f"{file}: example {number}"
                draw = random.Random(f"{self._seed}|{name}|{number}")
                try:
                    yield Row(number, {**self._prompted(example, settings, listed, where, draw), "task": name}, where)
                except RowError as error:
                    yield error

    def _prompted(
        self, example: Any, settings: Dict[str, Any], listed: bool, where: str, draw: random.Random
    ) -> Dict[str, Any]:
        if not isinstance(example, dict) or not isinstance(example.get("input"), str):
            raise RowError(where, "no text under `input`", f": {example!r:.80}")
        scores, targets = example.get("target_scores"), example.get("target")
        text, choices = example["input"], []
        if scores is not None:
            if not isinstance(scores, dict) or not scores or not all(map(_is_number, scores.values())):
                raise RowError(where, "`target_scores` is no object of numbers", f": {scores!r:.80}")
            choices = list(scores)
            if listed:
                text += "".join(settings[_CHOICE[0]] + choice for choice in draw.sample(sorted(choices), len(choices)))
            targets = targets or draw.choice([choice for choice in choices if scores[choice] == max(scores.values())])
        targets = [targets] if isinstance(targets, str) else targets
        if not isinstance(targets, list) or not targets or not all(isinstance(one, str) for one in targets):
            raise RowError(
                where, "neither `target_scores` nor a `target`, a text or a list of them", f": {targets!r:.80}"
            )
        before, after = settings["task_prefix"] + settings["example_input_prefix"], settings["example_output_prefix"]
        content = {"input": f"{before}{text}{after}".strip(), "target": targets[0], "references": targets}
        return {**content, **({"answer_choices": choices} if choices else {})}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
