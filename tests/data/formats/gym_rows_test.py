from pathlib import Path

import pytest

from attribution.common.rows import RowError
from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.formats import open_rows
from attribution.data.formats.gym_rows import GymRows, gym_task
from attribution.data.pool_sources import PoolRow, RowsSource
from tests.common.compression_test import compressed

LINES = '\ufeffIs it "so?\tyes\tyea\r\nno tab\r\nIs it?\tno\r\n\r\n'


@pytest.mark.parametrize(
    "name, task",
    [
        ("alpha_16_100_train.tsv", "alpha"),
        ("glue_sst_2_16_13_dev.tsv", "glue_sst_2"),
        ("alpha_fulldata_dev.tsv", "alpha"),
        ("alpha_dev.tsv", ""),
        ("alpha_16_100_train.csv", ""),
    ],
)
def test_names(name: str, task: str) -> None:
    assert gym_task(name) == task


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_pool_and_queries(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"alpha_16_100_train.tsv{ending}"
    path.write_bytes(compressed(ending, LINES.encode()))
    assert isinstance(open_rows(path), GymRows)
    first, error, last = RowsSource(str(path)).rows()
    assert isinstance(first, PoolRow) and isinstance(error, RowError) and isinstance(last, PoolRow)
    assert [first.content[name] for name in ("input", "target", "task")] == ['Is it "so?', "yes", "alpha"]
    assert error.reason == "no tab between an input and its answer" and error.message.startswith(f"{path}:2: ")
    examples = list(P3JsonlReader("unused").examples(str(path), skip_bad_rows=True))
    assert [(example.input, example.options) for example in examples] == [('Is it "so?', ["yes"]), ("Is it?", ["no"])]
    assert examples[0].details == {"references": ["yes", "yea"]}
