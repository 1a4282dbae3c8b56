"""In-context learning: a task's prompts with answered ones before them."""

from copy import copy
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import Row, Rows
from attribution.data.dataset_readers.p3_jsonl import P3JsonlReader
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.dataset_splits import NO_PATH
from attribution.data.prompt_budget import PromptBudget


class Demonstration(NamedTuple):
    """An answered prompt."""

    input: str
    answer: str


@DatasetReader.register("icl_reader")
class InContextReader(PromptedReader):
    """
    Reads a task, and puts demonstrations before each of its prompts, as many as there is room for. Prompts and
    demonstrations alike end in a line that begins with `Answer:` (as published, demonstrations had other white space
    there). Demonstrations are taken in order, the latest first in the text, up to the first that does not fit. The row
    with number n begins with the n-th and goes round: none is passed over for good, and no process needs to know what
    another has read. A row is no demonstration of itself.

    Demonstrations are the rows of the task's training split, or those of `retrieve_file`.

    Registered as a `DatasetReader` with name "icl_reader".

    # Parameters

    reader_class_name : `str`, optional
        A task by the name of its reader (`rte_reader`, or `rte`), which has `split_name` among its settings and finds
        its training split by itself. Give this or `reader`.
    model_name : `str`, optional (default = `"google/t5-base-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    retrieve_file : `str`, optional (default = `"dummy"`)
        A file of rows with `input` and `target`, such as `allennlp retrieve` writes, for the demonstrations; `dummy` is
        none.
    split_name : `str`, optional (default = `"validation"`)
        The split that is prompted.
    use_val_split : `bool`, optional (default = `False`)
        Whether the task's reader takes its validation split from the data.
    val_size : `int`, optional (default = `1000`)
        The size of that split.
    max_query_length : `int`, optional (default = `1024`)
        The most tokens of a prompt with its demonstrations, the end-of-sequence token included. A prompt that is too
        long alone loses its beginning.
    max_answer_length : `int`, optional (default = `256`)
        Answer options are cut to this many tokens.
    reader : `DatasetReader`, optional
        Any other reader of prompted rows.
    train_data_path : `str`, optional
        The data path of the training split. By default a named task's is the same as that of the split; with `reader`
        it is needed, unless there is a `retrieve_file`.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    """

    def __init__(
        self,
        reader_class_name: Optional[str] = None,
        model_name: str = "google/t5-base-lm-adapt",
        retrieve_file: str = "dummy",
        split_name: str = "validation",
        use_val_split: bool = False,
        val_size: int = 1000,
        max_query_length: int = 1024,
        max_answer_length: int = 256,
        reader: Optional[DatasetReader] = None,
        train_data_path: Optional[str] = None,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        if (reader_class_name is None) == (reader is None):
            raise ConfigurationError("icl_reader: give reader_class_name or reader, one of them")
        train_reader = copy(reader)
        if reader_class_name is not None:
            settings = {"model_name": model_name, "use_val_split": use_val_split, "val_size": val_size}
            reader = _task_reader(reader_class_name, split_name=split_name, **settings)
            train_reader = _task_reader(reader_class_name, split_name="train", **settings)
        elif retrieve_file in NO_PATH and train_data_path is None:
            raise ConfigurationError("icl_reader: with reader, demonstrations need train_data_path or retrieve_file")
        if retrieve_file not in NO_PATH:
            train_reader, train_data_path = P3JsonlReader(model_name), retrieve_file
        if not isinstance(reader, PromptedReader) or not isinstance(train_reader, PromptedReader):
            raise ConfigurationError(f"icl_reader: a {type(reader).__name__} does not make prompts")
        self.reader = reader
        self.reader.counts = self.counts
        self.train_reader = train_reader
        self.train_data_path = train_data_path
        self._path = "dummy"
        self._demonstrations: List[Demonstration] = []
        self._budget = PromptBudget(self.new_tokenizer, max_query_length)

    def open(self, file_path: str) -> Rows:
        if self.train_data_path is None and Path(file_path).is_file():
            raise ConfigurationError(
                f"icl_reader: {file_path} is one file: its rows would be their own demonstrations. Give a folder of "
                "splits, train_data_path or retrieve_file"
            )
        self._path, self._demonstrations = file_path, []
        return self.reader.open(file_path)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        example = self.reader.row_to_example(row, labelled)
        return None if example is None else self._with_demonstrations(example)

    def row_to_examples(self, row: Row, labelled: bool = True) -> Sequence[PromptedExample]:
        return [self._with_demonstrations(example) for example in self.reader.row_to_examples(row, labelled)]

    def _with_demonstrations(self, example: PromptedExample) -> PromptedExample:
        self._demonstrations = self._demonstrations or self._read_demonstrations()
        text = f"{example.input}\nAnswer:"
        if not self._budget.fits(text):
            end = self._budget.keep_end(example.input, lambda end: f"{end}\nAnswer:")
            return example._replace(input=f"{end}\nAnswer:")
        count = len(self._demonstrations)
        for place in range(example.row, example.row + count):
            demonstration = self._demonstrations[place % count]
            if demonstration.input == example.input:
                continue
            longer = f"{demonstration.input}\nAnswer: {demonstration.answer}\n{text}"
            if not self._budget.fits(longer):
                break
            text = longer
            self.counts["demonstrations"] += 1
        return example._replace(input=text)

    def _read_demonstrations(self) -> List[Demonstration]:
        """All of them: `train_reader` is not told of other processes."""
        examples = self.train_reader.examples(self.train_data_path or self._path)
        found = [Demonstration(part.input, part.options[part.answer]) for part in examples if part.answer is not None]
        if not found:
            raise ConfigurationError(f"{self.train_data_path or self._path}: has no demonstration for icl_reader")
        return found


def _task_reader(name: str, **settings: Any) -> DatasetReader:
    known = DatasetReader.list_available()
    found = [candidate for candidate in (name, f"{name}_reader") if candidate in known]
    if not found:
        raise ConfigurationError(f"reader_class_name: {name!r} is none of {', '.join(known)}")
    try:
        return DatasetReader.from_params(Params({"type": found[0], **settings}))
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(
            f"reader_class_name: {found[0]} is no reader of a task with splits ({error})"
        ) from error
