import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Bm25Retriever, ExactRetriever, GroupRemovalRetriever, Pool, TwoStageRetriever
from tests.retrievers.conftest import NumberEncoder

GROUPS = {"letters": ["a", "z"], "others": ["b"], "none": ["y"]}


def _without(*groups: str) -> GroupRemovalRetriever:
    return GroupRemovalRetriever(ExactRetriever(NumberEncoder()), GROUPS, list(groups))


def test_each_query_gets_its_rows_from_the_other_groups(pool_path: str) -> None:
    # Row 34 repeats row 4, as the only task of another group.
    pool = Pool(pool_path)
    assert _without("others").retrieve(pool, ["number 4"], 3).ids.tolist() == [[4, 3, 5]]
    assert pool.tasks == {"a": 30, "b": 10}
    assert _without("letters").retrieve(pool, ["number 4"], 3).ids.tolist() == [[34, 33, 35]]


def test_inside_two_stages(pool_path: str) -> None:
    found = TwoStageRetriever(Bm25Retriever(), _without("others"), candidates=2).retrieve(
        Pool(pool_path), ["number 4"], 2
    )
    assert found.ids.tolist() == [[4, -1]]


def test_an_index_serves_every_group(pool_path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    index = str(tmp_path_factory.mktemp("index") / "bm25")
    for group, row in (("others", 4), ("letters", 34)):
        retriever = GroupRemovalRetriever(Bm25Retriever(index=index), GROUPS, [group])
        assert retriever.retrieve(Pool(pool_path), ["4"], 1).ids.tolist() == [[row]]


def test_mistakes(pool_path: str) -> None:
    for groups in ((), ("letter",)):
        with pytest.raises(ConfigurationError, match=r"groups has \['letters', 'none', 'others'\]"):
            _without(*groups)
    with pytest.raises(ConfigurationError, match=r"no task of 'none', \['y'\]; its tasks are \['a', 'b'\]"):
        _without("others", "none").retrieve(Pool(pool_path), ["number 4"], 3)
    with pytest.raises(ConfigurationError, match=r"no row is left but those of the excluded tasks \['a', 'b', 'z'\]"):
        _without("others").retrieve(Pool(pool_path, ["a"]).without_tasks(["z"]), ["number 4"], 3)
