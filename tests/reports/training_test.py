import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import TrainingSection
from attribution.reports.training import epoch_files, read_numbers
from tests.reports.conftest import write_epochs

pytest.importorskip("matplotlib")

FINAL = {
    "best_epoch": 1,
    "training_loss": 0.5,
    "training_duration": "0:00:01",
    "peak_worker_0_memory_MB": 300.5,
    "validation_accuracy": 0.75,
    "f1": {"overall": 0.25},
    "done": True,
}


def test_metrics_and_curves(tmp_path: Path) -> None:
    write_epochs(tmp_path, [{"training_loss": 1.0 / (1 + number), "validation_loss": 1.0} for number in range(11)])
    (tmp_path / "metrics.json").write_text(json.dumps(FINAL))
    table, plot = TrainingSection(tmp_path).blocks()
    assert [[str(cell) for cell in row] for row in table.rows] == [  # type: ignore[union-attr]
        ["best_epoch", "1.000"],
        ["training_loss", "0.500"],
        ["validation_accuracy", "0.750"],
        ["f1.overall", "0.250"],
    ]
    (axes,) = plot.figure.axes  # type: ignore[union-attr]
    assert axes.get_title() == "loss" and axes.lines[0].get_xdata().tolist() == list(range(11))
    assert list(epoch_files(tmp_path)) == list(range(11))


def test_a_training_that_goes_on(tmp_path: Path) -> None:
    write_epochs(tmp_path, [{"training_loss": 1.0}])
    assert next(TrainingSection(tmp_path).blocks()) == "The training has not ended."


def test_epochs_without_metrics(tmp_path: Path) -> None:
    write_epochs(tmp_path, [{"colour": 1.0}])
    with pytest.raises(ConfigurationError, match="metrics_epoch_0.json has no training_ or validation_ metric"):
        list(TrainingSection(tmp_path).blocks())


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"loss": ')
    with pytest.raises(ConfigurationError, match="metrics.json: not valid JSON"):
        read_numbers(tmp_path / "metrics.json")
