import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import EnsembleSection
from tests.reports.conftest import write_ensemble

pytest.importorskip("matplotlib")


def test_weights(tmp_path: Path) -> None:
    plot, table = EnsembleSection(write_ensemble(tmp_path / "merged")).blocks()
    assert table.header == ["target", "effective sources", "copa", "rte", "wic"]  # type: ignore[union-attr]
    assert [[str(cell) for cell in row] for row in table.rows] == [  # type: ignore[union-attr]
        ["copa", "1.6", "–", "0.750", "0.250"],
        ["rte", "2.0", "0.500", "–", "0.500"],
    ]
    assert plot.figure.axes[0].images[0].get_array().mask.tolist()[0] == [True, False, False]  # type: ignore[union-attr]


def test_of_weights_by_part_the_mean(tmp_path: Path) -> None:
    path = write_ensemble(tmp_path / "merged") / "copa" / "weights.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "weights": {"rte": [0.5, 1.0]}, "parts": ["a", "b"]}))
    _, table = EnsembleSection(tmp_path / "merged").blocks()
    assert str(table.rows[0][3]) == "0.750"  # type: ignore[union-attr]


@pytest.mark.parametrize("content", [{}, {"target": "copa", "weights": [1], "effective_sources": 1}])
def test_something_else(content: object, tmp_path: Path) -> None:
    path = write_ensemble(tmp_path / "merged") / "copa" / "weights.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="copa/weights.json: has no target, weights and effective_sources"):
        list(EnsembleSection(tmp_path / "merged").blocks())
