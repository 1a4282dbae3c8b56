from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import write_manifest
from attribution.reports import DisabledExpertsSection, Plot, ReportSection, Table
from attribution.similarity import SimilarityMatrix

pytest.importorskip("matplotlib")

EFFECTS = np.array([[0.5, 0.0, -0.25], [0.0, 0.0, 0.0]])


def _write(folder: Path, higher_is_better: bool, **configuration: Any) -> Path:
    names = ["encoder.0 expert 0", "encoder.0 expert 1", "encoder.0 expert 2"]
    SimilarityMatrix(["boolq", "rte"], names, EFFECTS, higher_is_better, "expert").save(folder / "effects.npz")
    write_manifest(folder, "disable-experts", [], configuration, {})
    return folder


@pytest.mark.parametrize(
    "higher_is_better, configuration, metric, most",
    [
        (False, {}, "loss, how far it rises", ["boolq", "encoder.0 expert 0", "+0.500", "1", "1"]),
        (
            True,
            {"metric": "accuracy"},
            "accuracy, how far it falls",
            ["boolq", "encoder.0 expert 2", "+0.250", "1", "1"],
        ),
    ],
)
def test_what_each_task_needs_most(
    higher_is_better: bool, configuration: Any, metric: str, most: List[str], tmp_path: Path
) -> None:
    section = ReportSection.of(_write(tmp_path, higher_is_better, **configuration))
    assert isinstance(section, DisabledExpertsSection)
    assert [path.name for path in section.inputs()] == ["effects.npz", "manifest.json"]
    about, plot, needed, lost = section.blocks()
    assert str(about).startswith("2 tasks, 3 experts")
    assert isinstance(plot, Plot) and metric in plot.caption
    assert isinstance(needed, Table) and isinstance(lost, Table)
    assert [str(cell) for cell in needed.rows[0]] == most
    assert [str(cell) for cell in needed.rows[1]][1:] == ["–", "+0.000", "0", "0"]
    signs = 1 - 2 * higher_is_better
    assert [float(row[1].value) * signs for row in lost.rows] == [0.5, 0.0]  # type: ignore[union-attr]


def test_effects_that_are_none(tmp_path: Path) -> None:
    (_write(tmp_path, True) / "effects.npz").write_text("no")
    with pytest.raises(ConfigurationError, match="effects.npz: not a similarity matrix"):
        list(DisabledExpertsSection(tmp_path).blocks())
