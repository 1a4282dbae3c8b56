from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, ReportSection, RoutesSection, Table
from attribution.reports.routes import epoch_files
from attribution.similarity import TaskRoutes
from tests.similarity.task_routes_test import ROUTES

pytest.importorskip("matplotlib")


def _write(folder: Path, routes: TaskRoutes = ROUTES, epochs: int = 0) -> Path:
    (folder / "epochs").mkdir()
    routes.save(folder / "routes.npz")
    for epoch in range(epochs):
        routes.save(folder / "epochs" / f"epoch_{epoch}.npz")
    return folder


def test_a_section(tmp_path: Path) -> None:
    section = ReportSection.of(_write(tmp_path, epochs=11))
    assert isinstance(section, RoutesSection) and len(section.inputs()) == 12
    blocks = list(section.blocks())
    assert [block.title for block in blocks if isinstance(block, Plot)] == [
        "Routes",
        "Over the training",
        "Experts and categories",
    ]
    assert blocks[0] == "3 tasks, 2 layers of 2 experts."
    assert any(isinstance(block, str) and "Categories explain 100.0% of the variance" in block for block in blocks)
    correlations, weights = (block for block in blocks if isinstance(block, Table))
    # Of two tasks with a category, each expert's weight goes with it wholly, as it does in the other of 2 orders.
    assert [str(cell) for cell in correlations.rows[0]] == ["encoder.0 expert 0", "−1.00", "1.000", "+1.00", "1.000"]
    assert [row[0] for row in weights.rows] == ["lakes", "birds", "boats"]


def test_features_of_which_a_task_has_several(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text('{"wings": ["birds"], "moves": ["birds", "boats"], "all": []}')
    section = RoutesSection(_write(tmp_path))
    with pytest.raises(ConfigurationError, match="'all' has neither features nor a list"):
        list(section.blocks())
    (tmp_path / "features.json").write_text('{"wings": ["birds"], "moves": ["birds", "boats"]}')
    assert tmp_path / "features.json" in section.inputs()
    blocks = list(section.blocks())
    assert "Experts and features" in [block.title for block in blocks if isinstance(block, Plot)]
    [table] = [block for block in blocks if isinstance(block, Table) and block.title == "Correlations with features"]
    assert table.header == ["expert", "wings", "p of wings", "moves", "p of moves"]
    # The weights 1, 1, 0.6 of birds, boats and lakes.
    assert [str(cell) for cell in table.rows[0]][1::2] == ["+0.50", "+1.00"]
    assert "over 3 tasks, 2 with any" in table.caption


def test_epochs_in_order(tmp_path: Path) -> None:
    assert list(epoch_files(_write(tmp_path, epochs=11) / "epochs")) == list(range(11))
    assert epoch_files(tmp_path / "nowhere") == {}


def test_nothing_to_correlate(tmp_path: Path) -> None:
    same = TaskRoutes(["a", "b"], ["encoder.0"], np.full((2, 1, 2), 0.5), ["qa", "other"])
    texts = [block for block in RoutesSection(_write(tmp_path, same)).blocks() if isinstance(block, str)]
    assert texts[1] == "There is no correlation with categories: all tasks have the same routes."


def test_without_categories(tmp_path: Path) -> None:
    plain = TaskRoutes(ROUTES.tasks, ROUTES.layers, ROUTES.weights)
    _, plot, table = RoutesSection(_write(tmp_path, plain)).blocks()
    assert isinstance(plot, Plot) and isinstance(table, Table) and [row[1] for row in table.rows] == ["", "", ""]


def test_something_else(tmp_path: Path) -> None:
    (tmp_path / "routes.npz").write_text("no")
    with pytest.raises(ConfigurationError, match="routes.npz: not routes"):
        list(RoutesSection(tmp_path).blocks())
