from pathlib import Path

import numpy as np
import pytest

from attribution.common.row_store import RowStore
from attribution.common.rows import RowError
from attribution.data.gathered_pool import GatheredPool
from attribution.data.pool_sources import PoolRow


def _row(number: int, task: str, **extra: object) -> PoolRow:
    content = {"input": f"i{number}", "target": "t", "task": task, "template": f"p{number % 2}", "id": str(number)}
    return PoolRow({**content, **extra}, f"file:{number}")


def test_counts_by_source_task_and_template(tmp_path: Path) -> None:
    with RowStore(tmp_path) as store:
        gathered = GatheredPool(store, compare=False)
        for name, numbers in (("one", range(4)), ("none", range(0)), ("two", range(4, 6))):
            gathered.begin(name)
            for number in numbers:
                gathered.append(_row(number, "a" if number < 3 else "b"))
        store.finish()
        assert gathered.task_numbers().tolist() == [0, 0, 0, 1, 1, 1]
        gathered.drop(np.array([0, 5]), "of no use")
        report = gathered.report(np.array([4, 1, 3, 2]), 99)
    assert report["rows"] == 4
    assert report["tasks"] == {
        "a": {"rows": 2, "templates": {"p0": 1, "p1": 1}},
        "b": {"rows": 2, "templates": {"p0": 1, "p1": 1}},
    }
    assert [source["rows_taken"] for source in report["sources"]] == [3, 0, 1]
    assert [source["rows_dropped"] for source in report["sources"]] == [{"of no use": 1}, {}, {"of no use": 1}]
    assert report["sources"][0]["inputs_over_99_characters"] == 0


@pytest.mark.parametrize("extra", [{"when": object()}, {"input": "half a character: \ud800"}])
def test_what_json_cannot_say(tmp_path: Path, extra: dict) -> None:
    with RowStore(tmp_path) as store:
        gathered = GatheredPool(store, compare=True)
        gathered.begin("one")
        with pytest.raises(RowError, match=r"file:7: cannot be written as JSON"):
            gathered.append(_row(7, "a", **extra))
        assert len(store) == 0
