import json
import random
from pathlib import Path
from typing import Any, Dict, List, Sequence, Set, Tuple

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import QasperEvidence
from tests.metrics.conftest import measure


def _rows(question: str, evidence: Any, paragraphs: Sequence[str], chosen: Set[str]) -> Tuple[List[str], Any]:
    details = [{"id": question, "paragraph": paragraph, "evidence": evidence} for paragraph in paragraphs]
    return ["Yes" if paragraph in chosen else "No" for paragraph in paragraphs], details


def _slow_overlap(chosen: Set[str], gold: Set[str]) -> Tuple[float, float, float]:
    if not gold:
        return (1.0, 1.0, 1.0) if not chosen else (0.0, 0.0, 0.0)
    precision = len(chosen & gold) / len(chosen) if chosen else 1.0
    recall = len(chosen & gold) / len(gold)
    return (2 * precision * recall / (precision + recall) if recall else 0.0), precision, recall


def test_equals_a_slow_count_where_evidence_is_whole_paragraphs() -> None:
    source = random.Random(11)
    predictions: List[str] = []
    details: List[Dict[str, Any]] = []
    expected, of_nothing, answered = [], [], 0
    for question in range(200):
        paragraphs = [f"Paragraph {number} of {question}." for number in range(source.randint(1, 6))]
        evidence = [source.sample(paragraphs, source.randint(0, len(paragraphs))) for _ in range(source.randint(1, 3))]
        chosen = set(source.sample(paragraphs, source.randint(0, len(paragraphs))))
        answered += bool(chosen)
        expected.append(max((_slow_overlap(chosen, set(texts)) for texts in evidence), key=lambda overlap: overlap[0]))
        of_nothing.append(max(_slow_overlap(set(), set(texts))[0] for texts in evidence))
        of_question = _rows(str(question), evidence, paragraphs, chosen)
        predictions += of_question[0]
        details += of_question[1]
    f1, precision, recall = (sum(values) / 200 for values in zip(*expected))
    assert measure(QasperEvidence(), predictions, details) == pytest.approx(
        {
            "qasper_evidence_f1": f1,
            "qasper_evidence_precision": precision,
            "qasper_evidence_recall": recall,
            "qasper_evidence_f1_of_nothing": sum(of_nothing) / 200,
            "qasper_evidence_chosen": answered / 200,
        }
    )


PARAGRAPHS = ["Introduction", "We train a model. It is large.", "Results are good."]


@pytest.mark.parametrize(
    "evidence, chosen, f1",
    [
        # As published, raw evidence was compared with whole, cleaned paragraphs: both would be 0.
        ([["We train a model.\nIt is large."]], {PARAGRAPHS[1]}, 1.0),
        ([["It is large. "]], {PARAGRAPHS[1]}, 1.0),
        ([["It is large.", "We train a model."]], {PARAGRAPHS[1]}, 1.0),
        ([["It is large.", ""]], {PARAGRAPHS[1], PARAGRAPHS[2]}, 2 / 3),
        ([["It is large.", "FLOAT SELECTED: Table 1"]], {PARAGRAPHS[1]}, 2 / 3),
        ([["Results are good."], ["It is large."]], {PARAGRAPHS[1]}, 1.0),
        ([[]], set(), 1.0),
        ([[]], {PARAGRAPHS[0]}, 0.0),
        ([], {PARAGRAPHS[0]}, 0.0),
        ([["Results are good."]], set(), 0.0),
    ],
)
def test_by_hand(evidence: Any, chosen: Set[str], f1: float) -> None:
    values = measure(QasperEvidence(), *_rows("q", evidence, PARAGRAPHS, chosen))
    assert values["qasper_evidence_f1"] == pytest.approx(f1)


def test_without_figures() -> None:
    rows = _rows("q", [["It is large.", "FLOAT SELECTED: Table 1"]], PARAGRAPHS, {PARAGRAPHS[1]})
    assert measure(QasperEvidence(text_evidence_only=True), *rows)["qasper_evidence_f1"] == 1.0


def test_a_question_without_rows_counts_as_nothing_chosen(tmp_path: Path) -> None:
    questions = [
        {"question_id": name, "answers": [{"answer": {"evidence": evidence}}]}
        for name, evidence in [("q", ["It is large."]), ("of an empty article", ["lost"]), ("has none", [])]
    ]
    path = tmp_path / "qasper.json"
    path.write_text(json.dumps({"article": {"full_text": [], "qas": questions}}))
    rows = _rows("q", [["It is large."]], PARAGRAPHS, {PARAGRAPHS[1]})
    values = measure(QasperEvidence(data_file=str(path)), *rows)
    assert values["qasper_evidence_f1"] == pytest.approx(2 / 3)
    assert values["qasper_evidence_f1_of_nothing"] == values["qasper_evidence_chosen"] == pytest.approx(1 / 3)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="data_file /nowhere.json: no such file"):
        QasperEvidence(data_file="/nowhere.json")
    with pytest.raises(ConfigurationError, match="needs 'paragraph' in the details of each row"):
        QasperEvidence()(["Yes"], [{"references": ["Yes"]}])
    (tmp_path / "other.json").write_text('{"article": {}}')
    with pytest.raises(ConfigurationError, match="other.json: not as Qasper"):
        QasperEvidence(data_file=str(tmp_path / "other.json")).get_metric()
