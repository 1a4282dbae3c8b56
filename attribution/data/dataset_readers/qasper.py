"""Qasper: which paragraphs of an article are evidence for the answer to a question."""

import logging
from collections import Counter
from itertools import islice
from random import Random
from typing import Any, Dict, Iterator, List, Optional, Tuple
from typing import Counter as CounterType

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.json_files import read_json_object
from attribution.common.rows import JsonDict, LoadedRows, Row, RowError, Rows
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader

logger = logging.getLogger(__name__)


@DatasetReader.register("qasper_evidence_prompt")
class QasperEvidenceReader(PromptedReader):
    """
    Reads Qasper (Dasigi et al., 2021, https://arxiv.org/abs/2105.03011), the JSON of its version 0.3. Each question is
    asked of each paragraph of its article: is the answer in it? Paragraphs are those of all sections, each section's
    name before them; one is evidence if it contains what some annotator marked.

    `details` has the question's `id`, `paper_id`, `paragraph`, `paragraph_index` and `evidence`, a list of texts for
    each annotator, with the white space of the paragraphs (as published, the score compared raw evidence with cleaned
    paragraphs). Evidence in figures and tables is among them, and in no paragraph.

    Articles without full text are skipped, and counted in the log with their questions.

    Registered as a `DatasetReader` with name "qasper_evidence_prompt".

    # Parameters

    model_name : `str`, optional (default = `"bigscience/T0_3B"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    answer_options : `List[str]`, optional (default = `["Yes", "No"]`)
        `Yes` and `No` in the order in which they are ranked.
    negative_sample_ratio : `float`, optional (default = `1.0`)
        The share of paragraphs without evidence that is kept, drawn at random.
    return_original_query : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    max_train_samples : `int`, optional (default = `-1`)
        Use the first so many pairs of a question and a paragraph; -1 is all of them.
    seed : `int`, optional (default = `23019`)
        Of what `negative_sample_ratio` draws: the same pairs at each reading, however many processes share them.
    max_answer_length : `int`, optional (default = `256`)
        Answer options are cut to this many tokens.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    """

    def __init__(
        self,
        model_name: str = "bigscience/T0_3B",
        max_query_length: int = 512,
        answer_options: Optional[List[str]] = None,
        negative_sample_ratio: float = 1.0,
        return_original_query: bool = False,
        max_train_samples: int = -1,
        seed: int = 23019,
        max_answer_length: int = 256,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_query, end_of_sequence, **kwargs
        )
        self.answer_options = ["Yes", "No"] if answer_options is None else answer_options
        if not {"Yes", "No"} <= set(self.answer_options):
            raise ConfigurationError(
                f"answer_options: {self.answer_options} lacks Yes or No, which the prompt asks for"
            )
        if not 0 <= negative_sample_ratio <= 1:
            raise ConfigurationError(f"negative_sample_ratio is {negative_sample_ratio}; 0 to 1 are possible")
        if max_train_samples < 1 and max_train_samples != -1:
            raise ConfigurationError(f"max_train_samples is {max_train_samples}; at least 1, or -1 for all, is needed")
        self.negative_sample_ratio = negative_sample_ratio
        self.max_train_samples = max_train_samples
        self.seed = seed

    def open(self, file_path: str) -> Rows:
        """The pairs of a question and a paragraph, each a row."""
        articles, local = read_json_object(file_path)
        found: CounterType[str] = Counter()
        pairs = (pair for item in articles.items() for pair in _pairs(file_path, *item, found))
        rows = LoadedRows(
            local, islice(self._sample(pairs), None if self.max_train_samples < 0 else self.max_train_samples)
        )
        logger.info("%s: %d pairs of a question and a paragraph; %s", file_path, len(rows), dict(found))
        if not rows:
            raise ConfigurationError(f"{file_path}: no question of an article with full text; {dict(found)}")
        return rows

    def _sample(self, pairs: Iterator[Tuple[JsonDict, str]]) -> Iterator[Tuple[JsonDict, str]]:
        random = Random(self.seed)
        return (pair for pair in pairs if pair[0]["is_evidence"] or random.random() < self.negative_sample_ratio)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        question, paragraph = row.content.get("question"), row.content.get("paragraph")
        if not isinstance(question, str) or not isinstance(paragraph, str):
            raise RowError(row.where, "no text under `question` or `paragraph`", f"; there are {sorted(row.content)}")
        answer = "Yes" if row.content.get("is_evidence") else "No"
        return PromptedExample(
            f"Question: {question} Paragraph: {paragraph} Is the answer to the question in the paragraph? "
            "Answer Yes or No.",
            self.answer_options,
            self.answer_options.index(answer) if labelled else None,
            row.number,
            row.where,
            {name: row.content.get(name) for name in ("id", "paper_id", "paragraph", "paragraph_index", "evidence")},
        )


def _pairs(file_path: str, paper_id: str, article: Any, found: CounterType[str]) -> Iterator[Tuple[JsonDict, str]]:
    where = f"{file_path}: article {paper_id}"
    try:
        paragraphs, questions = _paragraphs(article["full_text"]), article["qas"]
        found.update({"articles": 1, "questions": len(questions)})
        if not paragraphs:
            found.update({"articles skipped: no full text": 1, "questions skipped with them": len(questions)})
            return
        for question in questions:
            annotators = [_cleaned(answer["answer"]["evidence"]) for answer in question["answers"]]
            _count(annotators, found)
            marked = {text for evidence in annotators for text in evidence}
            same: Dict[str, Any] = {
                "id": question["question_id"],
                "paper_id": paper_id,
                "question": question["question"],
                "evidence": annotators,
            }
            for index, paragraph in enumerate(paragraphs):
                is_evidence = any(text in paragraph for text in marked)
                pair = {**same, "paragraph": paragraph, "paragraph_index": index, "is_evidence": is_evidence}
                yield pair, f"{where}, question {same['id']}, paragraph {index}"
    except (AttributeError, KeyError, TypeError) as error:
        raise RowError(where, "not as Qasper 0.3 has it", f" ({error!r})") from error


def _paragraphs(full_text: List[JsonDict]) -> List[str]:
    paragraphs = []
    for section in full_text:
        if section["section_name"] is not None:
            paragraphs.append(section["section_name"])
        paragraphs += _cleaned(section["paragraphs"])
    return paragraphs


def _cleaned(texts: List[str]) -> List[str]:
    cleaned = (text.replace("\n", " ").strip() for text in texts)
    return [text for text in cleaned if text]


def _count(annotators: List[List[str]], found: CounterType[str]) -> None:
    found["answers"] += len(annotators)
    found["questions with several answers"] += len(annotators) > 1
    for evidence in annotators:
        found["answers without evidence"] += not evidence
        found["answers with several pieces of evidence"] += len(evidence) > 1
        found["answers with evidence in a table or figure"] += any("FLOAT SELECTED" in text for text in evidence)
