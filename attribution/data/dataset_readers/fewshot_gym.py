"""Few-shot tasks as tab-separated files: the NLP Few-shot Gym."""

import json
import random
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import JsonDict, LoadedRows, Row, Rows
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.few_shot_gym import SPLITS, gym_files, read_lines


@DatasetReader.register("fewshot_gym")
class FewShotGymReader(PromptedReader):
    """
    Reads few-shot tasks in the format of the NLP Few-shot Gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835), as
    task-level mixture-of-experts and weight ensembling use it. The path of the data is the folder of the tasks'
    folders; in each are `{task}_{shots}_{seed}_{split}.tsv` or `{task}_fulldata_{split}.tsv`, in each line an input and
    one or more answers, with tabs between them. Several tasks and seeds are one after the other, as one data set.

    A line's option is one of its own answers, beside those of other rows if `options` says so. An instance's `details`
    have all of its own as `references`, `task`, and the file's name and the line as `id`.

    Registered as a `DatasetReader` with name "fewshot_gym".

    # Parameters

    model_name : `str`
        Whose tokenizer to use: a hub id or a local folder.
    task : `Union[str, List[str]]`, optional
        The task, or several. Without it and `task_split`, all tasks that have a folder.
    task_split : `str`, optional
        Instead: a JSON file of task lists, `{"train": [...], "dev": [...], "test": [...]}`.
    task_part : `str`, optional (default = `"train"`)
        Which of its lists.
    split : `str`, optional (default = `"train"`)
        Which rows of the tasks: `train`, `dev` or `test`.
    shots : `int`, optional
        Which files, where a task has some of several numbers of shots; 0 for those without one (`fulldata`).
    seeds : `List[int]`, optional
        Which samples. Without it all, together; of `test`, which is the same for every seed, one.
    input_prefix : `str`, optional (default = `"[{task}] "`)
        What inputs begin with. As published: `" [{task}] "`, with a space before it, for BART.
    answer : `str`, optional (default = `"first"`)
        Which of several answers is the option: `first`, or `random`, for training on another one each time the file
        is read. These are drawn from Python's generator, which `random_seed` of a configuration seeds. A data loader
        with workers starts each from the same state: every time with the same answers.
    options : `str`, optional (default = `"own"`)
        `own`, one option a line; or `task`, for classification: every first answer in the task's training rows, sorted,
        which are then ranked. A line's own answer is added to them where it is not there.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `64`)
        The same for answers.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether answers end with the end-of-sequence token.
    """

    def __init__(
        self,
        model_name: str,
        task: Optional[Union[str, List[str]]] = None,
        task_split: Optional[str] = None,
        task_part: str = "train",
        split: str = "train",
        shots: Optional[int] = None,
        seeds: Optional[List[int]] = None,
        input_prefix: str = "[{task}] ",
        answer: str = "first",
        options: str = "own",
        max_query_length: int = 512,
        max_answer_length: int = 64,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        if split not in SPLITS:
            raise ConfigurationError(f"split is {split!r}; {', '.join(SPLITS)} are possible")
        if answer not in ("first", "random"):
            raise ConfigurationError(f"answer is {answer!r}; first and random are possible")
        if options not in ("own", "task"):
            raise ConfigurationError(f"options is {options!r}; own and task are possible")
        if task is not None and task_split is not None:
            raise ConfigurationError("`task` and `task_split` both say which tasks to read; name one of them")
        if task == [] or seeds == []:
            raise ConfigurationError(f"{'task' if task == [] else 'seeds'} is empty; leave it out for all there are")
        self._tasks = [task] if isinstance(task, str) else task
        self._task_split = task_split
        self._task_part = task_part
        self._split = split
        self._shots = shots
        self._seeds = seeds
        self._input_prefix = input_prefix
        self.random_answers = answer == "random"
        self._reading = 0
        self._ranks = options == "task"
        self._options: Dict[str, List[str]] = {}

    def open(self, file_path: str) -> Rows:
        root = Path(file_path)
        if not root.is_dir():
            raise ConfigurationError(f"{file_path}: no such folder; the folder of the tasks' folders is needed")
        if self.random_answers:
            self._reading = random.getrandbits(64)
        files = [
            (task, path)
            for task in self.task_names(root)
            for path in gym_files(root, task, self._split, self._shots, self._seeds)
        ]
        paths = [path for _, path in files]
        empty = next((path for path in paths if not path.stat().st_size), None)
        if empty is not None:
            raise ConfigurationError(f"{empty}: has no rows")
        if self._ranks:
            for task in dict.fromkeys(task for task, _ in files):
                training = gym_files(root, task, "train", self._shots, self._seeds)
                self._options[task] = sorted({line.answers[0] for path in training for line in read_lines(path)})
                paths += [path for path in training if path not in paths]
        return LoadedRows(root, _rows(files), paths)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        content = row.content
        answers = content["answers"]
        chosen = random.Random(f"{self._reading} {row.number}").choice(answers) if self.random_answers else answers[0]
        options = self._options.get(content["task"], [])
        options = options if chosen in options else [*options, chosen]
        return PromptedExample(
            self._input_prefix.replace("{task}", content["task"]) + content["input"],
            options,
            options.index(chosen) if labelled else None,
            row.number,
            row.where,
            {"references": answers, "id": content["id"], "task": content["task"]},
        )

    def task_names(self, root: Path) -> List[str]:
        """The tasks that it reads of those in a folder."""
        if self._tasks is not None:
            return self._tasks
        if self._task_split is not None:
            return _listed(Path(self._task_split), self._task_part)
        names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not names:
            raise ConfigurationError(f"{root}: has no folder of a task")
        return names


def _rows(files: List[Tuple[str, Path]]) -> Iterator[Tuple[JsonDict, str]]:
    for task, path in files:
        for number, line in enumerate(read_lines(path), start=1):
            name = f"{path.stem}#{number}"
            yield {"task": task, "input": line.input, "answers": line.answers, "id": name}, f"{path}:{number}"


def _listed(path: Path, part: str) -> List[str]:
    try:
        parts = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"task_split: {path} cannot be read as JSON ({error})") from error
    listed = parts.get(part) if isinstance(parts, dict) else None
    if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
        there = sorted(parts) if isinstance(parts, dict) else type(parts).__name__
        raise ConfigurationError(f"task_split: {path} has no list of tasks {part!r}; there are {there}")
    return listed
