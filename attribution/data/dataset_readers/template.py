"""A new task from a configuration alone: raw rows, a Jinja template, options and a label map."""

from functools import cached_property
from typing import Any, Dict, Iterator, List, Optional, Set, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader
from allennlp.data.instance import Instance

from attribution.common.rows import Row, RowError, Rows, text_of
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader, TokenizedBlock
from attribution.data.dataset_splits import DatasetSplits
from attribution.data.formats import open_rows
from attribution.data.prompt_tokenizer import PromptTokenizer
from attribution.data.prompts import LONGEST, compile_template, render, tell_of_unknown, used_fields


class RowPrompt:
    """
    What makes a prompt, its options and the right one of a raw row.

    # Parameters

    template, options, label, label_map
        See `TemplateReader`.
    reader : `str`
        Whose settings they are, for messages.
    longest : `int`, optional (default = `1000000`)
        Characters that a template may write for a row.
    """

    def __init__(
        self,
        template: str,
        options: Union[str, List[str]],
        label: str,
        label_map: Optional[Dict[str, int]],
        reader: str,
        longest: int = LONGEST,
    ) -> None:
        if not options:
            raise ConfigurationError(f"{reader}: `options` is empty; name at least one text to rank")
        self._template = compile_template(template, f"{reader}: `template`")
        self._options_field = options if isinstance(options, str) else None
        texts = [] if isinstance(options, str) else options
        # A fixed text is rendered once and for all.
        self._texts = [
            compile_template(text, f"{reader}: `options`") if "{" in text else text.strip() for text in texts
        ]
        self.fields = set().union(*map(used_fields, [template, *texts]))
        """What the prompt takes from a row."""
        self.there: Set[str] = set()
        """What the rows so far have."""
        self._label = label
        self._label_map = label_map
        self._longest = longest

    def example(self, row: Row, labelled: bool = True) -> PromptedExample:
        """
        # Raises

        `RowError` if the row does not fit.
        """
        self.there.update(row.content)
        options = self._options(row)
        answer = self._answer(row, options) if labelled else None
        prompt = render(self._template, "template", row, self._longest)
        if not prompt or not all(options):
            reason = "an empty option" if prompt else "an empty prompt"
            raise RowError(row.where, reason, f"; the row has {sorted(row.content)}, the options are {options}")
        return PromptedExample(prompt, options, answer, row.number, row.where)

    def _options(self, row: Row) -> List[str]:
        if self._options_field is None:
            options = [
                text if isinstance(text, str) else render(text, "options", row, self._longest) for text in self._texts
            ]
        else:
            listed = row.content.get(self._options_field)
            texts = [text_of(option) for option in listed] if isinstance(listed, list) else []
            if not texts or None in texts:
                raise RowError(
                    row.where,
                    f"`options` names the field {self._options_field!r}, which is no list of texts",
                    f", but {listed!r:.80}",
                )
            options = [text.strip() for text in texts if text is not None]
        return options

    def _answer(self, row: Row, options: List[str]) -> int:
        if row.content.get(self._label) is None:
            raise RowError(
                row.where, f"no field {self._label!r}, which `label` names", f"; there are {sorted(row.content)}"
            )
        label = row.content[self._label]
        written = text_of(label)
        if self._label_map is not None:
            named = next((text for text in (written, str(label)) if text in self._label_map), None)
            if named is None:
                raise RowError(
                    row.where, f"the label {label!r} is not in `label_map`", f", which has {sorted(self._label_map)}"
                )
            label = self._label_map[named]
        if type(label) is int and 0 <= label < len(options):
            if self._label_map is None and str(label) in options and options[label] != str(label):
                detail = f", of {options}; a `label_map` says which it is"
                raise RowError(row.where, f"the label {label} is the place of one option, the text of another", detail)
            return label
        if self._label_map is None and written is not None and written.strip() in options:
            return options.index(written.strip())
        if isinstance(label, str) and label.isdecimal() and int(label) < len(options):
            return int(label)  # As CSV has it.
        raise RowError(row.where, "the target is none of the options", f": {label!r} of {options}")


class RowPromptReader(PromptedReader):
    """
    Base of the readers whose examples a `RowPrompt` makes. A subclass sets `prompt`, and `dataset` if it knows one.
    """

    prompt: RowPrompt
    dataset: Optional[DatasetSplits] = None

    def open(self, file_path: str) -> Rows:
        if self.dataset is not None:
            return self.dataset.open(file_path)
        return open_rows(file_path)

    def examples(self, file_path: str, labelled: bool = True, skip_bad_rows: bool = False) -> Iterator[PromptedExample]:
        yield from super().examples(file_path, labelled, skip_bad_rows)
        tell_of_unknown(file_path, self.prompt.fields, self.prompt.there)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        return self.prompt.example(row, labelled)

    def _block_to_instances(self, block: List[PromptedExample], tokenized: TokenizedBlock) -> Iterator[Instance]:
        for instance, example in zip(super()._block_to_instances(block, tokenized), block):
            lengths = instance["answer_options"].lengths if example.options else ()  # type: ignore[attr-defined]
            for text, length in zip(example.options, lengths):
                if length >= self.max_answer_length:
                    self._check_length(text, example.where)
            yield instance

    @cached_property
    def _uncut(self) -> PromptTokenizer:
        """Apart from the other, which is busy in a thread and cuts."""
        return self.new_tokenizer()

    def _check_length(self, option: str, where: str) -> None:
        length = len(self._uncut.options([option], 1 << 30)[0])
        if length > self.max_answer_length:
            raise ConfigurationError(
                f"{where}: the option {option[:60]!r} has {length} tokens, more than "
                f"`max_answer_length` = {self.max_answer_length}; raise it, or shorten the option"
            )


@DatasetReader.register("prompted_reader")
class TemplateReader(RowPromptReader):
    """
    Reads raw rows of any format (JSONL, CSV, Parquet, ...), and prompts them with a Jinja template: adding a task
    needs jsonnet and no Python.

        {
            type: 'prompted_reader',
            model_name: 'google/t5-base-lm-adapt',
            template: '{{premise}}\nQuestion: {{hypothesis}} True, False, or Neither?',
            options: ['true', 'false', 'neither'],
            label_map: { entailment: 0, contradiction: 1, neutral: 2 },
        }

    Registered as a `DatasetReader` with name "prompted_reader".

    # Parameters

    model_name : `str`
        Whose tokenizer to use: a hub id or a local folder.
    template : `str`
        The prompt, over the row's fields. Rendered in a sandbox; a field that a row lacks is an error. JSON's `true` is
        true in it, and written as Jinja does, `True`.
    options : `Union[str, List[str]]`
        The texts to rank: templates over the row's fields (fixed texts are templates too), or the name of a field
        that holds a list of them.
    label : `str`, optional (default = `"label"`)
        The field that says which option is right.
    label_map : `Dict[str, int]`, optional
        From the label, as text (`1.0`; of a truth `true` or `True`), to the option's index. Without it the label is
        that index, or the option's text.
    dataset : `DatasetSplits`, optional
        Where the rows are and which of them are wanted, for a reader whose path is `dummy`; otherwise they are all of
        the path's file.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `256`)
        An option of more tokens is an error.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    longest_text : `int`, optional (default = `1000000`)
        Characters that a template may write for a row; more are an error.

    # Raises

    `ConfigurationError`, naming file, line and setting, for a row that the settings do not fit.
    """

    def __init__(
        self,
        model_name: str,
        template: str,
        options: Union[str, List[str]],
        label: str = "label",
        label_map: Optional[Dict[str, int]] = None,
        dataset: Optional[DatasetSplits] = None,
        max_query_length: int = 512,
        max_answer_length: int = 256,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        longest_text: int = LONGEST,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        self.prompt = RowPrompt(template, options, label, label_map, "prompted_reader", longest_text)
        self.dataset = dataset
