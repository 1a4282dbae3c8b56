"""Super-NaturalInstructions: tasks that come with their definition and examples."""

from pathlib import Path
from random import Random
from string import punctuation
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.json_files import read_json_object
from attribution.common.rows import JsonDict, LoadedRows, Row, RowError, Rows
from attribution.common.text_lines import read_lines
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.prompt_budget import PromptBudget

NUM_TEST_INSTANCES = 100
"""The first so many instances of a test task are its test set; they are balanced."""


class Encoding(NamedTuple):
    """What a prompt says of its task before the input."""

    definition: bool
    positive: int
    """How many positive examples."""
    negative: int = 0
    explanations: bool = False


TK_INSTRUCT = [
    Encoding(True, 0),
    Encoding(False, 2),
    Encoding(True, 2),
    Encoding(True, 2, 2),
    Encoding(True, 2, 0, True),
]
"""The encodings that Tk-Instruct was trained on."""


@DatasetReader.register("ni_reader")
class NaturalInstructionsReader(PromptedReader):
    """
    Reads Super-NaturalInstructions (Wang et al., 2022, https://arxiv.org/abs/2204.07705) from a copy of its repository,
    in Tk-Instruct's encodings. The data path is the folder with `splits/default/{train,test}_tasks.txt` and
    `tasks/*.json`. One of an instance's outputs, drawn at random by its row, is the target; `details` has its `id`,
    all outputs as `references`, its `task`, `category` (the task's first) and `track`.

    A prompt that is too long loses examples (the last first), then the end of the definition, then the beginning of the
    input; the task's input ends in `Output: ` always (as published, that was cut off).

    Instances without an output are skipped and counted in the log.

    Registered as a `DatasetReader` with name "ni_reader".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `1024`)
        The most tokens of a prompt, the end-of-sequence token included.
    split_name : `str`, optional (default = `"train"`)
        `train` or `test`. Of a test task only the first 100 instances are used.
    return_original_instance : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    max_num_instances_per_task : `int`, optional (default = `100`)
        Of a task of another split than `test`, so many instances, shuffled by `seed`. `None` is all, in file order.
    max_num_instances_per_eval_task : `int`, optional (default = `100`)
        The same of a test task.
    num_pos_examples : `int`, optional (default = `0`)
        Positive examples before the input.
    add_task_definition : `bool`, optional (default = `True`)
        Whether the prompt begins with the task's definition.
    num_neg_examples : `int`, optional (default = `0`)
        Negative examples after the positive ones.
    add_explanation : `bool`, optional (default = `False`)
        Whether examples have their explanations.
    tk_instruct : `bool`, optional (default = `False`)
        Draw each row's encoding from the five of Tk-Instruct, in place of the four settings above.
    track : `str`, optional (default = `"default"`)
        The folder below `splits`: `default` or `xlingual`.
    tasks : `List[str]`, optional
        Use these tasks of the split only: whole names, or their part before the first `_`, such as `task020`.
    seed : `int`, optional (default = `42`)
        Of the shuffles and draws: each task's and each row's own.
    max_answer_length : `int`, optional (default = `1024`)
        Targets are cut to this many tokens.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether targets end with the end-of-sequence token.
    """

    def __init__(
        self,
        model_name: str = "google/t5-small-lm-adapt",
        max_query_length: int = 1024,
        split_name: str = "train",
        return_original_instance: bool = False,
        max_num_instances_per_task: Optional[int] = 100,
        max_num_instances_per_eval_task: Optional[int] = 100,
        num_pos_examples: int = 0,
        add_task_definition: bool = True,
        num_neg_examples: int = 0,
        add_explanation: bool = False,
        tk_instruct: bool = False,
        track: str = "default",
        tasks: Optional[List[str]] = None,
        seed: int = 42,
        max_answer_length: int = 1024,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_instance, end_of_sequence, **kwargs
        )
        limit = max_num_instances_per_eval_task if split_name == "test" else max_num_instances_per_task
        for setting, value, least in (
            ("max_num_instances_per_task, max_num_instances_per_eval_task", limit, 1),
            ("num_pos_examples", num_pos_examples, 0),
            ("num_neg_examples", num_neg_examples, 0),
        ):
            if value is not None and value < least:
                raise ConfigurationError(f"{setting}: {value} is less than {least}")
        self.split_name = split_name
        self.limit = limit
        encoding = Encoding(add_task_definition, num_pos_examples, num_neg_examples, add_explanation)
        self.encodings = TK_INSTRUCT if tk_instruct else [encoding]
        self.track = track
        self.tasks = tasks
        self.seed = seed
        self._budget = PromptBudget(self.new_tokenizer, max_query_length)

    def open(self, file_path: str) -> Rows:
        folder = Path(file_path)
        split = folder / "splits" / self.track / f"{self.split_name}_tasks.txt"
        files = [folder / "tasks" / f"{name}.json" for name in self._task_names(split)]
        return LoadedRows(folder, (row for file in files for row in self._instances(file)), [split, *files])

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        instance = row.content.get("Instance")
        if not isinstance(instance, dict) or not isinstance(instance.get("input"), str):
            raise RowError(row.where, "no text under `input` of `Instance`", f"; there are {sorted(row.content)}")
        outputs = instance.get("output") or []
        references = [str(text) for text in ([outputs] if isinstance(outputs, str) else outputs) if text is not None]
        if labelled and not references:
            self.counts["instances skipped: no output"] += 1
            return None
        random = Random(f"{self.seed} {row.number}")
        text = self._prompt(row, instance["input"], random.choice(self.encodings))
        target = [random.choice(references)] if references else []
        details = {
            "id": instance.get("id"),
            "references": references,
            "task": row.content.get("Task"),
            "category": (row.content.get("Categories") or [None])[0],
            "track": row.content.get("track"),
        }
        return PromptedExample(text, target, 0 if labelled else None, row.number, row.where, details)

    def _task_names(self, path: Path) -> List[str]:
        if not path.is_file():
            raise ConfigurationError(
                f"{path}: no such file. The data path of ni_reader is a copy of the repository "
                "allenai/natural-instructions; `track` and `split_name` name a file of its splits."
            )
        names = [name for line in read_lines(path) for name in line.text.split()]
        if self.tasks is None:
            return names
        for task in self.tasks:
            if not any(task in (name, name.split("_")[0]) for name in names):
                raise ConfigurationError(f"tasks: {task!r} is none of the {len(names)} in {path}")
        return [name for name in names if {name, name.split("_")[0]} & set(self.tasks)]

    def _instances(self, file: Path) -> Iterator[Tuple[JsonDict, str]]:
        task, _ = read_json_object(file)
        instances = task.get("Instances")
        if not isinstance(instances, list):
            raise RowError(str(file), "no list of instances under `Instances`")
        if self.split_name == "test":
            instances = instances[:NUM_TEST_INSTANCES]
        if self.limit is not None:
            Random(self.seed).shuffle(instances)
        kept = ("Categories", "Definition", "Positive Examples", "Negative Examples")
        shared = {"Task": file.stem, "track": self.track, **{name: task.get(name) for name in kept}}
        for number, instance in enumerate(instances[: self.limit]):
            name = instance.get("id", number) if isinstance(instance, dict) else number
            yield {**shared, "Instance": instance}, f"{file}: instance {name}"

    def _prompt(self, row: Row, text: str, encoding: Encoding) -> str:
        try:
            definition = _definition(row.content["Definition"]) if encoding.definition else ""
            examples = list(_examples(row.content, encoding))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise RowError(
                row.where, "a task that is not as Super-NaturalInstructions has it", f" ({error!r})"
            ) from error
        for count in range(len(examples), -1, -1):
            prompt = definition + "".join(examples[:count]) + _task_input(text)
            if self._budget.fits(prompt):
                return prompt
        return self._cut(definition, text)

    def _cut(self, definition: str, text: str) -> str:
        """The definition without its end or, where even the input is too long, the input without its beginning."""
        task_input = _task_input(text)
        start = self._budget.keep_start(definition, lambda start: f"{start}\n\n{task_input}")
        return f"{start}\n\n{task_input}" if start else _task_input(self._budget.keep_end(text.strip(), _task_input))


def _sentence(text: str) -> str:
    """With a full stop, unless it ends in punctuation."""
    text = text.strip()
    return text if text.endswith(tuple(punctuation)) else f"{text}."


def _definition(definition: Any) -> str:
    return f"Definition: {_sentence(definition if isinstance(definition, str) else definition[0])}\n\n"


def _task_input(text: str) -> str:
    return f"Now complete the following example -\nInput: {_sentence(text)}\nOutput: "


def _examples(task: JsonDict, encoding: Encoding) -> Iterator[str]:
    for kind, count in (("Positive", encoding.positive), ("Negative", encoding.negative)):
        for number, example in enumerate((task.get(f"{kind} Examples") or [])[:count], 1):
            text = f" {kind} Example {number} -\n"
            text += f"Input: {_sentence(example['input'])}\n Output: {_sentence(example['output'])}\n"
            if encoding.explanations and example.get("explanation"):
                text += f" Explanation: {_sentence(example['explanation'])}\n"
            yield text + "\n"
