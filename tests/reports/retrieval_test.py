from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, RetrievalSection
from attribution.similarity import SimilarityMatrix
from tests.reports.conftest import write_composition

pytest.importorskip("matplotlib")


def test_one_target(tmp_path: Path) -> None:
    write_composition(tmp_path)
    (tmp_path / "search.json").write_text('{"recall": 0.98}')
    search, about, plot, table = RetrievalSection(tmp_path).blocks()
    assert search == "Search: recall 0.98"
    assert about == "8 rows of 2 tasks; 3 equal to evaluation rows left out."
    assert [str(cell) for cell in table.rows[0]] == ["task_0", "4", "50.0", "10", "10.0", "5.00"]  # type: ignore[union-attr]
    widths = [bar.get_width() for bar in plot.figure.axes[0].patches]  # type: ignore[union-attr]
    assert widths == pytest.approx([50, 50, 10, 10])


def test_queries_that_found_fewer_rows(tmp_path: Path) -> None:
    write_composition(tmp_path)
    path = tmp_path / "composition.json"
    path.write_text(path.read_text().replace('"rows": 8,', '"rows": 8, "queries": {"used": 9, "found_fewer": 2},', 1))
    about, *_ = RetrievalSection(tmp_path).blocks()
    assert about == (
        "8 rows of 2 tasks; 2 queries found fewer rows than asked for; 3 equal to evaluation rows left out."
    )


def test_many_tasks_are_drawn_as_the_first_and_the_others(tmp_path: Path) -> None:
    write_composition(tmp_path, tasks=25)
    (plot,) = [block for block in RetrievalSection(tmp_path).blocks() if isinstance(block, Plot)]
    names = [label.get_text() for label in plot.figure.axes[0].get_yticklabels()]
    assert names == [*(f"task_{number}" for number in range(20)), "(5 others)"]
    assert plot.figure.axes[0].patches[20].get_width() == pytest.approx(20)


def test_several_targets(tmp_path: Path) -> None:
    for target in ("cb", "rte"):
        write_composition(tmp_path / target)
    SimilarityMatrix(["cb", "rte"], ["task_0", "task_1"], np.full((2, 2), 0.5), True, "task").save(
        tmp_path / "composition.npz"
    )
    titles = [block.title for block in RetrievalSection(tmp_path).blocks() if not isinstance(block, str)]
    assert titles == [
        "cb: Composition",
        "cb: Rows by task",
        "rte: Composition",
        "rte: Rows by task",
        "Heat map",
        "Scores",
    ]


def test_no_rows(tmp_path: Path) -> None:
    (tmp_path / "composition.json").write_text('{"rows": 0, "tasks": {}}')
    assert list(RetrievalSection(tmp_path).blocks()) == ["0 rows of 0 tasks."]


@pytest.mark.parametrize("content", ["{}", '{"rows": 1, "tasks": {"a": {"rows": 1}}}', '{"rows": "x", "tasks": {}}'])
def test_something_else(content: str, tmp_path: Path) -> None:
    (tmp_path / "composition.json").write_text(content)
    with pytest.raises(ConfigurationError, match="composition.json: not what `allennlp retrieve` writes"):
        list(RetrievalSection(tmp_path).blocks())
