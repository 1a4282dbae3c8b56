"""`allennlp evaluate` with metrics of texts, of what a tiny model ranks first and of what it writes."""

import json
import logging
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from tests.conftest import ROWS, SPECIAL, VOCABULARY_SIZE, WORDS

METRICS = [
    "exact_match",
    "soft_exact_match",
    "text_accuracy",
    "qa_f1",
    "classification_f1",
    "matthews",
    {"type": "squad", "no_answer": "maybe"},
]
GENERATION = {
    "max_new_tokens": 3,
    "suppress_tokens": [*range(len(SPECIAL)), *range(len(SPECIAL + WORDS), VOCABULARY_SIZE)],
}
"""An untrained model writes special tokens, and ones without a word."""


@pytest.fixture
def evaluator(train_config: Any, allennlp: Any, tmp_path: Path, write_jsonl: Callable[..., str]) -> Callable[..., Any]:
    """Settings for an untrained model -> a function from rows to the metrics and the predictions that are written."""

    def make(settings: Dict[str, Any]) -> Callable[..., Any]:
        changes = {
            "model.fake_training": True,
            "evaluation": {"batch_serializer": {"type": "rows"}},
            "validation_data_loader": {"batch_size": 5},
            "trainer.num_epochs": 1,
        }
        folder, output, predictions = tmp_path / "run", tmp_path / "metrics.json", tmp_path / "predictions.jsonl"
        trained = allennlp("train", train_config(changes), "-s", folder)
        assert trained.status == 0, trained.stderr

        def evaluate(rows: List[Dict[str, Any]]) -> Tuple[Dict[str, float], List[Dict[str, Any]]]:
            files = ["--output-file", output, "--predictions-output-file", predictions]
            overrides = ["-o", json.dumps({"model.metrics": METRICS, **settings})]
            result = allennlp("evaluate", folder / "model.tar.gz", write_jsonl("test.jsonl", rows), *files, *overrides)
            assert result.status == 0, result.stderr
            lines = predictions.read_text().splitlines()
            return json.loads(output.read_text()), [json.loads(line) for line in lines]

        return evaluate

    return make


@pytest.mark.parametrize("settings, text", [({}, "answer"), ({"model.generation": GENERATION}, "generated_text")])
def test_the_numbers_are_those_of_the_written_predictions(
    settings: Any, text: str, evaluator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate = evaluator(settings)
    _, written = evaluate(ROWS)
    # Now the prediction is one of two right answers of every second row; the others have their target alone.
    rows = [
        row if number % 2 else {**row, "references": ["red", f"{prediction[text].upper()}!"]}
        for number, (row, prediction) in enumerate(zip(ROWS, written))
    ]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        metrics, again = evaluate(rows)
    assert again == written and all(row[text] for row in written)
    assert [row["row"] for row in written] == list(range(24)) and all(len(row["scores"]) == 2 for row in written)
    targets = sum(prediction[text] == row["target"] for row, prediction in zip(rows[1::2], written[1::2]))
    for name, right in (("exact_match", 12 + targets), ("text_accuracy", targets)):
        assert metrics[name] == pytest.approx(right / 24)
    ranked = sum(row["response"] == row["correct_answer_index"] for row in written)
    assert metrics["accuracy"] == pytest.approx(ranked / 24)
    assert {"soft_exact_match", "qa_f1", "classification_f1", "matthews", "squad_has_answer_f1"} < set(metrics)
    [printed] = [message for message in caplog.messages if message.startswith("Metrics: ")]
    assert json.loads(printed[len("Metrics: ") :]) == metrics


def test_a_metric_picks_the_best_epoch(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    changes = {"model.metrics": ["exact_match"], "trainer.validation_metric": "+exact_match"}
    result = allennlp("train", train_config(changes), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["best_validation_exact_match"] == pytest.approx(metrics["best_validation_accuracy"])


def test_as_many_outputs_as_inputs(evaluator: Any, allennlp: Any, tmp_path: Path) -> None:
    evaluator({})(ROWS[:3])
    first, second = tmp_path / "test.jsonl", tmp_path / "other.jsonl"
    second.write_text(json.dumps(ROWS[3]) + "\n")
    command = ["evaluate", tmp_path / "run" / "model.tar.gz", f"{first},{second}"]
    for option in ("--output-file", "--predictions-output-file"):
        result = allennlp(*command, option, tmp_path / "one")
        assert result.status == 1 and "AssertionError" not in result.stderr
        assert f"{option} names 1 for 2 inputs; name one for each, with commas between them" in result.stderr
    unnamed = [command[1], '{"a": 1}, {"b": 2}', "--output-file", tmp_path / "one", "--auto-names", "METRICS"]
    result = allennlp("evaluate", *unnamed)
    assert result.status == 1 and "--auto-names needs inputs that are files" in result.stderr
    assert not (tmp_path / "one").exists()
    result = allennlp(*command, "--output-file", f"{tmp_path / 'one'},{tmp_path / 'two'}")
    assert result.status == 0 and json.loads((tmp_path / "one").read_text()) != json.loads(
        (tmp_path / "two").read_text()
    )
