import json
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import AgentsSection, Plot, ReportSection, Table
from tests.reports.conftest import write_matrix

pytest.importorskip("matplotlib")


def _accuracy(*of_sets: List[float]) -> Any:
    """Of each set, by its first agents: 0 on the first task, and this on the two others, in the mean."""
    return {"accuracy": [[[0.0, value - 0.1, value + 0.1] for value in values] for values in of_sets]}


def _write(directory: Path) -> Path:
    content = {
        "selected": _accuracy([0.5, 0.75]),
        "peek": _accuracy([0.25, 0.5]),
        "random": _accuracy(*([0.25 + number / 20, 0.5] for number in range(6))),
    }
    (directory / "accuracy.json").write_text(json.dumps(content))
    return directory


def test_the_gain_over_random_sets(tmp_path: Path) -> None:
    table, gain, spread = AgentsSection(_write(tmp_path)).blocks()
    assert isinstance(table, Table) and isinstance(gain, Plot) and isinstance(spread, Plot)
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["1", "0.500", "0.250", "0.375"],
        ["2", "0.750", "0.500", "0.500"],
    ]
    (axes,) = gain.figure.axes
    np.testing.assert_allclose([line.get_ydata() for line in axes.lines], [[12.5, 25], [-12.5, 0], [0, 0]], atol=1e-9)
    assert "6 random sets" in gain.caption
    assert [text.get_text() for text in spread.figure.legends[0].texts] == ["selected", "peek", "random"]


def test_beside_the_similarity_of_the_agents(tmp_path: Path) -> None:
    """The directory has a similarity matrix, and is more than that."""
    _write(tmp_path)
    write_matrix(tmp_path / "similarity.npz")
    section = ReportSection.of(tmp_path)
    assert isinstance(section, AgentsSection)
    assert [path.name for path in section.inputs()] == ["accuracy.json", "similarity.npz"]
    assert "Dendrogram" in [getattr(block, "title", "") for block in section.blocks()]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"random": {}},
        {"random": {"accuracy": [0.5]}},
        {"selected": _accuracy([0.5, 0.5])},
        {"selected": _accuracy([0.5, 0.5]), "random": _accuracy([0.5])},
    ],
)
def test_something_else(content: Any, tmp_path: Path) -> None:
    (tmp_path / "accuracy.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="accuracy.json: not what `allennlp compare-agents` writes"):
        list(AgentsSection(tmp_path).blocks())
