"""DROP: questions over a passage whose answer is a number, a date or one or more spans."""

from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.json_files import read_json_object
from attribution.common.rows import JsonDict, LoadedRows, Row, RowError, Rows
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.dataset_splits import DatasetSplits

SPAN_SEPARATOR = " | "
"""Between the spans of an answer with several: a prediction, split at it, is a list as the official scorer takes it."""


@DatasetReader.register("drop_reader")
class DropReader(PromptedReader):
    """
    Reads DROP (Dua et al., 2019, https://arxiv.org/abs/1903.00161) for a model that writes its answers. The target is
    the whole first answer: all its spans, with `SPAN_SEPARATOR` between them (as published, only the first span).
    `details` has what the official score needs: the question's `id`, and under `answers` every annotator's answer as
    `{"number": str, "spans": [str, ...], "date": {"day": str, "month": str, "year": str}}`.

    Files are the official ones (`train.json` and `validation.json` in a folder of splits), or rows as the hub has them.
    The hub's `answers_spans` of the validation split run the annotators' spans together: a span that comes again begins
    another annotator's answer, and where annotators disagree on spans they count as one answer of several. Official
    scores need the official file. Splits are divided as `select_rows` says; training rows stay in their order.

    Questions without an answer are skipped and counted in the log.

    Registered as a `DatasetReader` with name "drop_reader".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    split_name : `str`, optional (default = `"train"`)
        `train`, `validation` or `test`.
    val_size : `int`, optional (default = `1000`)
        The size of a validation split that is taken from the data.
    return_original_instance : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    use_val_split : `bool`, optional (default = `True`)
        Whether a validation split is taken from the data.
    seed : `int`, optional (default = `42`)
        Of that split.
    max_answer_length : `int`, optional (default = `256`)
        Targets are cut to this many tokens.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether targets end with the end-of-sequence token.
    """

    shuffle_training_split = False

    def __init__(
        self,
        model_name: str = "google/t5-small-lm-adapt",
        max_query_length: int = 512,
        split_name: str = "train",
        val_size: int = 1000,
        return_original_instance: bool = False,
        use_val_split: bool = True,
        seed: int = 42,
        max_answer_length: int = 256,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_instance, end_of_sequence, **kwargs
        )
        self.dataset = DropSplits(
            "ucinlp/drop",
            splits={"train": "train", "validation": "validation"},
            split_name=split_name,
            use_val_split=use_val_split,
            val_size=val_size,
            seed=seed,
            shuffle=self.shuffle_training_split,
        )

    def open(self, file_path: str) -> Rows:
        return self.dataset.open(file_path)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        passage, question = _text(row, "passage"), _text(row, "question")
        answers = _answers(row)
        if labelled and not answers:
            self.counts["questions skipped: no answer"] += 1
            return None
        return PromptedExample(
            f"Passage: {passage}\nQuestion: {question}\nAnswer:",
            [_answer_text(answer) for answer in answers[:1]],
            0 if labelled else None,
            row.number,
            row.where,
            {"id": row.content.get("query_id"), "answers": answers},
        )


@DatasetReader.register("multi_task_drop_reader")
class MultiTaskDropReader(DropReader):
    """
    DROP in mixtures with other tasks and as queries, as DEFT has it: what `drop_reader` reads, but its training split
    is shuffled by `seed`.

    Registered as a `DatasetReader` with name "multi_task_drop_reader".

    # Parameters

    As `drop_reader` has them.
    """

    shuffle_training_split = True


class DropSplits(DatasetSplits):
    """DROP's splits, whose JSON files are the official ones."""

    def open_files(self, paths: List[Path]) -> Rows:
        if paths[0].suffix != ".json":
            return super().open_files(paths)
        passages, local = read_json_object(paths[0])
        return LoadedRows(local, (pair for item in passages.items() for pair in _questions(local, *item)))


def _questions(file: Path, passage_id: str, passage: Any) -> Iterator[Tuple[JsonDict, str]]:
    where = f"{file}: passage {passage_id}"
    pairs = passage.get("qa_pairs") if isinstance(passage, dict) else None
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
        raise RowError(where, "no list of questions under `qa_pairs`")
    for pair in pairs:
        content = {"section_id": passage_id, "passage": passage.get("passage"), **pair}
        yield content, f"{where}, question {pair.get('query_id')}"


def _text(row: Row, field: str) -> str:
    text = row.content.get(field)
    if not isinstance(text, str):
        raise RowError(row.where, f"no text under `{field}`", f"; there are {sorted(row.content)}")
    return text


def _answers(row: Row) -> List[JsonDict]:
    """Every annotator's answer; the empty ones are left out."""
    try:
        if "answers_spans" in row.content:
            listed = row.content["answers_spans"]
            return _hub_answers(listed["spans"], listed["types"])
        given = [row.content.get("answer") or {}, *_dicts(row.content.get("validated_answers") or [])]
        answers = [_answer(answer.get("number"), answer.get("spans"), answer.get("date")) for answer in given]
    except (AttributeError, KeyError, TypeError) as error:
        raise RowError(row.where, "answers that are not as DROP has them", f" ({error!r})") from error
    return [answer for answer in answers if _answer_text(answer)]


def _dicts(answers: Any) -> List[Any]:
    """A list of answers, which Parquet may have as one dict of lists."""
    return [dict(zip(answers, values)) for values in zip(*answers.values())] if isinstance(answers, dict) else answers


def _answer(number: Any = None, spans: Any = None, date: Any = None) -> JsonDict:
    return {
        "number": "" if number is None else str(number),
        "spans": [span for span in spans or [] if span is not None],
        "date": {part: str((date or {}).get(part) or "") for part in ("day", "month", "year")},
    }


def _hub_answers(texts: List[str], types: List[str]) -> List[JsonDict]:
    answers: List[JsonDict] = []
    spans: Optional[List[str]] = None
    for text, kind in zip(texts, types):
        if kind != "span":
            spans = None
            # A date's parts are not marked; the official score compares its text.
            answers.append(_answer(number=text) if kind == "number" else _answer(spans=[text]))
            continue
        if spans is None or text in spans:
            answers.append(_answer())
            spans = answers[-1]["spans"]
        spans.append(text)
    return answers


def _answer_text(answer: JsonDict) -> str:
    """As the official scorer reads it: a number before spans before a date."""
    date = " ".join(filter(None, answer["date"].values()))
    return answer["number"] or SPAN_SEPARATOR.join(answer["spans"]) or date
