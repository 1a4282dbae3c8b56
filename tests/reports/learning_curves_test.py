from pathlib import Path

import pytest

from attribution.reports.learning_curves import learning_curves, training_files
from attribution.reports.sweep_results import SweepResults
from tests.reports.conftest import write_epochs, write_sweep

pytest.importorskip("matplotlib")


def test_means_over_the_runs_at_the_chosen_values(sweep: Path) -> None:
    accuracy, loss = learning_curves(SweepResults(sweep), "TASK")
    assert accuracy.title == "Learning curves of model: validation_accuracy"  # type: ignore[union-attr]
    assert loss.title == "Learning curves of model: training_loss"  # type: ignore[union-attr]
    assert "at the chosen LEARNING_RATE: mean over the runs that reached it (2 each)" in loss.caption  # type: ignore[union-attr]
    panels = loss.figure.axes  # type: ignore[union-attr]
    assert [axes.get_title() for axes in panels] == ["boolq", "copa"]
    (line,) = panels[0].lines
    # Seed 1 has losses 1, 1/2, 1/3, and seed 2 2, 1, 2/3, 1/2.
    assert line.get_xdata().tolist() == [0, 1, 2, 3]
    assert line.get_ydata().tolist() == pytest.approx([1.5, 0.75, 0.5, 0.5])


def test_quoted_values_and_folders_of_others(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", ["glue/rte a,b", "copa"])
    for folder in (sweep / "model").glob("TASK=glue*"):
        folder.rename(folder.with_name("x"))  # A slash makes a folder of its own: not what a sweep writes.
    write_epochs(
        sweep / "model" / "TASK=glue%2Frte%20a%2Cb,ARM=none,LEARNING_RATE=0.0005,SEED=1", [{"training_loss": 1}]
    )
    write_epochs(sweep / "other" / "COLOUR=red", [{"training_loss": 1}])
    (loss,) = [block for block in learning_curves(SweepResults(sweep), "TASK") if "loss" in block.title]  # type: ignore[union-attr]
    assert [axes.get_title() for axes in loss.figure.axes][:2] == ["glue/rte a,b", "copa"]  # type: ignore[union-attr]
    assert any("COLOUR=red" in str(path) for path in training_files(sweep))


def test_lines_are_the_other_axes(sweep: Path) -> None:
    write_epochs(sweep / "model" / "TASK=boolq,ARM=none,LEARNING_RATE=0.0005,SEED=1", [{"training_loss": 3.0}])
    *_, loss = learning_curves(SweepResults(sweep), "TASK")
    assert [text.get_text() for text in loss.figure.legends[0].texts] == ["ARM=bm25", "ARM=none"]  # type: ignore[union-attr]
    assert "(1 to 2 each)" in loss.caption  # type: ignore[union-attr]
