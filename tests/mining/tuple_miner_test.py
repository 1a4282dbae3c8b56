import pytest
from allennlp.common.checks import ConfigurationError

from attribution.mining.tuple_miner import check_counts, rows_by_task
from attribution.retrievers import Pool


def test_rows_by_task(mixture_path: str) -> None:
    rows = rows_by_task(Pool(mixture_path, exclude_tasks=["animals"]))
    assert set(rows) == {"queries", "useful", "numbers", "colours"}
    assert rows["useful"][:3].tolist() == [1, 6, 11] and len(rows["useful"]) == 24


def test_counts() -> None:
    with pytest.raises(ConfigurationError, match="loss: rounds is 0; at least one is needed"):
        check_counts("loss", size=1, rounds=0)
