"""DEFT's format of prompted rows: the pool, the retrieved training files, the few-shot files."""

from typing import Any, Dict, List, Optional

from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import Row, RowError, Rows, text_of
from attribution.data.dataset_readers.prompted import ADDED, PromptedExample, PromptedReader
from attribution.data.formats import open_rows
from attribution.data.layouts import NO_TEXTS, NamedRows, Prompting, are_texts
from attribution.data.wrong_answers import NOT_CORRECT, is_wrong_answer

_NO_DETAILS: Dict[str, Any] = {}
_TASK = "{task}"


@DatasetReader.register("p3_jsonl")
class P3JsonlReader(PromptedReader):
    """
    Reads rows `{"input": str, "target": str, "answer_choices": [str, ...]}` of any format that is read, as the P3 pool
    and DEFT's files have them (Ivison et al., 2023, https://arxiv.org/abs/2212.00196). `answer_choices` may
    be absent, empty or called `options`; other keys are ignored. A row without choices has its target as its only
    option. A target that is not among the choices is added to them, as published; a whole number is the place of a
    choice, as in the few-shot files of CaseHOLD (as published, none of their rows was read). `references`, where a row
    has others than its target, become the example's details; where they are empty, the target stands for them.

    Rows whose input or target is missing, or neither a text nor a number, are skipped and counted in the log, as
    published, and so are those where one of them is empty; as queries, rows without an input are errors. Rows that
    `is_correct` marks as wrong answers, as P3's `*_score_eval` do, are skipped and counted, too; as queries, they are
    rows like others.

    Registered as a `DatasetReader` with name "p3_jsonl".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-xl-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `256`)
        The same for answer options.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    keep : `List[str]`, optional
        Fields of a row that become part of its details, where it has them: its `id` for predictions, its `template`
        for the metric `grouped`, its `task` for a retrieval that leaves the target's own task out.
    layout : `str`, optional
        What the rows look like, one of `attribution.data.layouts.LAYOUTS`. Without it each row says, and the log has
        what they say.
    fields : `Dict[str, str]`, optional
        Instead: from a field's name in the file to its name in such rows, `{question: 'input', answer: 'target'}`.
    input_prefix : `str`, optional (default = `""`)
        What inputs begin with: `"[{task}] "` is how `fewshot_gym` writes a gym's.
    task : `str`, optional
        What `{task}` stands for, and the `task` of the details of all rows. By default the `task` of each row; where
        each target has rows of its own (`allennlp similarity`), its name.
    """

    def __init__(
        self,
        model_name: str = "google/t5-xl-lm-adapt",
        max_query_length: int = 512,
        max_answer_length: int = 256,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        keep: Optional[List[str]] = None,
        layout: Optional[str] = None,
        fields: Optional[Dict[str, str]] = None,
        input_prefix: str = "",
        task: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        self.keep = keep or []
        self.prompting = Prompting(layout, fields)
        self.input_prefix = input_prefix
        self.task = task

    def open(self, file_path: str) -> Rows:
        return NamedRows(open_rows(file_path, self.prompting.gym), self.prompting)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        row = self.prompting(row)
        text, target = row.content.get("input"), row.content.get("target")
        if not isinstance(text, str):
            if not labelled:
                raise RowError(row.where, "no text under `input`", f"; there are {sorted(row.content)}")
            self.counts["rows skipped: no input, or not a string"] += 1
            return None
        if not text or text.isspace():
            if not labelled:
                raise RowError(row.where, "empty input", ": nothing under `input`")
            self.counts["rows skipped: empty input"] += 1
            return None
        options = _choices(row)
        if not labelled:
            only = [target.strip()] if isinstance(target, str) else []
            prompt = self._prefix(row) + text
            return PromptedExample(prompt, options or only, None, row.number, row.where, self._kept(row) or None)
        if not isinstance(target, str):
            number = text_of(target) is not None
            self.counts[f"rows skipped: {'target is no choice' if number else 'no target, or not a string'}"] += 1
            return None
        if is_wrong_answer(row.content):
            self.counts[f"rows skipped: {NOT_CORRECT}"] += 1
            return None
        target = target.strip()
        if not target:
            self.counts["rows skipped: empty target"] += 1
            return None
        if target not in options:
            self.counts[ADDED] += bool(options)
            options.append(target)
        details = {**self._references(row, target), **self._kept(row)} or _NO_DETAILS
        prompt = self._prefix(row) + text
        return PromptedExample(prompt, options, options.index(target), row.number, row.where, details)

    def _prefix(self, row: Row) -> str:
        if _TASK not in self.input_prefix:
            return self.input_prefix
        task = row.content.get("task") if self.task is None else self.task
        if not isinstance(task, str):
            raise RowError(
                row.where, "no `task`", f", which `input_prefix` asks for: {self.input_prefix!r}; set `task`"
            )
        return self.input_prefix.replace(_TASK, task)

    def _kept(self, row: Row) -> Dict[str, Any]:
        kept = {field: row.content[field] for field in self.keep if field in row.content}
        return kept if self.task is None else {**kept, "task": self.task}

    def _references(self, row: Row, target: str) -> Dict[str, Any]:
        """Always a dict: instances of one batch need the same fields."""
        references = row.content.get("references")
        if references is None or references == [target]:
            return _NO_DETAILS
        if references and not (isinstance(references, list) and all(isinstance(text, str) for text in references)):
            raise RowError(row.where, "`references` is not a list of texts", f", but {references!r:.80}")
        if not any(text.strip() for text in references or ()):
            self.counts["rows with empty references, for which their target stands"] += 1
            return _NO_DETAILS
        return {"references": references}


def _choices(row: Row) -> List[str]:
    choices = row.content.get("answer_choices") or row.content.get("options")
    if not choices:
        return []
    if not are_texts(choices):
        raise RowError(row.where, f"`answer_choices` {NO_TEXTS}", f": {choices!r:.80}")
    return [choice.strip() for choice in choices]
