"""Qasper's articles, each question asked of each paragraph."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import PromptedExample, QasperEvidenceReader
from tests.conftest import SPECIAL, WORDS

PATH = str(Path(__file__).parents[2] / "fixtures" / "qasper" / "qasper-dev-v0.3.json")
IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}
HARD, SMALL = "Herons are hard to count.", "We count them with a small network."
PARAGRAPHS = ["Introduction", HARD, SMALL, "Data come from four lakes."]


def _examples(path: str = PATH, **settings: Any) -> List[PromptedExample]:
    return list(QasperEvidenceReader("unused", **settings).examples(path))


def _details(example: PromptedExample) -> Dict[str, Any]:
    assert example.details is not None
    return example.details


def test_a_whole_example() -> None:
    example = _examples()[2]
    assert example.input == (
        "Question: How are herons counted? Paragraph: We count them with a small network. Is the answer to the "
        "question in the paragraph? Answer Yes or No."
    )
    assert (example.options, example.answer, example.row) == (["Yes", "No"], 0, 2)
    assert example.details == {
        "id": "q1",
        "paper_id": "1909.00001",
        "paragraph": SMALL,
        "paragraph_index": 2,
        "evidence": [[SMALL], [HARD, "small network"]],
    }
    assert example.where == f"{PATH}: article 1909.00001, question q1, paragraph 2"


def test_each_question_with_each_paragraph_of_its_article() -> None:
    examples = _examples()
    assert [(_details(example)["id"], _details(example)["paragraph"]) for example in examples] == [
        *(("q1", paragraph) for paragraph in PARAGRAPHS),
        *(("q2", paragraph) for paragraph in PARAGRAPHS),
        ("q4", "Boats ::: Ferries"),
        ("q4", "A ferry is a boat."),
    ]
    # q1: a line break inside evidence, and a part of a paragraph, count. q2: a table is no paragraph.
    assert [example.answer for example in examples] == [1, 0, 0, 1, 1, 1, 1, 1, 1, 0]
    assert _details(examples[4])["evidence"] == [["FLOAT SELECTED: Table 2: Accuracy of all models."], []]


def test_what_is_labelled_as_evidence_is_what_the_score_looks_for() -> None:
    """As published it was not: the score had raw evidence, with its line breaks, and paragraphs without them."""
    for question in ("q1", "q4"):
        examples = [example for example in _examples() if _details(example)["id"] == question]
        marked = {text for evidence in _details(examples[0])["evidence"] for text in evidence}
        for example in examples:
            assert (example.answer == 0) == any(text in _details(example)["paragraph"] for text in marked)
        chosen = [_details(example)["paragraph"] for example in examples if example.answer == 0]
        assert all(any(text in paragraph for paragraph in chosen) for text in marked)


def test_negatives_are_drawn_by_the_readers_own_generator() -> None:
    every = [example.where for example in _examples()]
    some = [example.where for example in _examples(negative_sample_ratio=0.5)]
    assert some == [example.where for example in _examples(negative_sample_ratio=0.5)]
    assert set(some) < set(every)
    positive = [example.where for example in _examples() if example.answer == 0]
    assert set(positive) < set(some)
    assert [example.where for example in _examples(negative_sample_ratio=0.0)] == positive
    others = [[example.where for example in _examples(negative_sample_ratio=0.5, seed=seed)] for seed in range(5)]
    assert any(other != some for other in others)


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("cap", [-1, 5])
def test_the_same_pairs_however_many_workers(workers: int, cap: int) -> None:
    settings = {"negative_sample_ratio": 0.5, "max_train_samples": cap}
    shares = []
    for worker in range(workers):
        reader = QasperEvidenceReader("unused", **settings)  # type: ignore[arg-type]
        reader._set_worker_info(WorkerInfo(workers, worker))
        shares += list(reader.examples(PATH))
    assert sorted(shares, key=lambda example: example.row) == _examples(**settings)


def test_max_train_samples() -> None:
    assert _examples(max_train_samples=3) == _examples()[:3]


def test_skipped_articles_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="attribution"):
        _examples()
    assert "10 pairs of a question and a paragraph" in caplog.text
    for count in (
        "'articles': 3",
        "'articles skipped: no full text': 1",
        "'questions skipped with them': 1",
        "'questions': 4",
        "'answers': 5",
        "'questions with several answers': 2",
        "'answers without evidence': 1",
        "'answers with evidence in a table or figure': 1",
        "'answers with several pieces of evidence': 1",
    ):
        assert count in caplog.text


def test_an_instance(tiny_model: Callable[[str], str]) -> None:
    settings = {"model_name": tiny_model("t5"), "max_query_length": 8, "answer_options": ["No", "Yes"]}
    reader = DatasetReader.from_params(Params({"type": "qasper_evidence_prompt", **settings}))
    instances = list(reader.read(PATH))
    assert len(instances) == 10
    ids = instances[2]["prompt_and_input"].human_readable_repr()
    assert ids[1:3] == [IDS[":"], IDS["<unk>"]] and ids[-1] == IDS["</s>"] and len(ids) == 8
    assert instances[2]["correct_answer_index"].number == 1
    assert instances[2]["details"].metadata["id"] == "q1"


def test_rows_to_predict() -> None:
    from attribution.common.rows import Row

    row = Row(0, {"question": "Why?", "paragraph": "So."}, "here")
    example = QasperEvidenceReader("unused").row_to_example(row, labelled=False)
    assert example is not None and example.answer is None
    with pytest.raises(ConfigurationError, match="here: no text under `question` or `paragraph`"):
        QasperEvidenceReader("unused").row_to_example(Row(0, {"question": "Why?"}, "here"))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"answer_options": ["yes", "no"]}, "answer_options: .* lacks Yes or No"),
        ({"negative_sample_ratio": 1.5}, "negative_sample_ratio is 1.5"),
        ({"max_train_samples": 0}, "max_train_samples is 0"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        QasperEvidenceReader("unused", **settings)


@pytest.mark.parametrize(
    "articles, message",
    [
        ({"a": {"full_text": [], "qas": []}}, "no question of an article with full text"),
        ({"a": {"qas": []}}, r"qasper.json: article a: not as Qasper 0.3 has it \(KeyError\('full_text'\)\)"),
        ({"a": []}, "article a: not as Qasper"),
        ({"a": {"full_text": [{"section_name": "b", "paragraphs": [3]}], "qas": []}}, "article a: not as Qasper"),
    ],
)
def test_bad_files(articles: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "qasper.json"
    path.write_text(json.dumps(articles))
    with pytest.raises(ConfigurationError, match=message):
        _examples(str(path))
