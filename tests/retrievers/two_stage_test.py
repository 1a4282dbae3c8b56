import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Bm25Retriever, ExactRetriever, Pool, TwoStageRetriever
from tests.retrievers.conftest import NumberEncoder


def test_the_second_stage_sees_what_the_first_one_found(pool_path: str) -> None:
    # Two candidates each: 4 and 34 have the very word, and so have 20 and the first row that shares only "number".
    retriever = TwoStageRetriever(Bm25Retriever(), ExactRetriever(NumberEncoder()), candidates=2)
    found = retriever.retrieve(Pool(pool_path), ["number 4", "number 20"], 3)
    # On the circle of 40, 0 is nearer to 4 than 20 is.
    assert found.ids[0].tolist() == [4, 34, 0]
    assert found.ids[1, 0] == 20 and set(found.ids[1, 1:].tolist()) <= {4, 34, 0}


def test_nothing_found_and_a_wrong_setting(pool_path: str) -> None:
    retriever = TwoStageRetriever(Bm25Retriever(), ExactRetriever(NumberEncoder()))
    assert (retriever.retrieve(Pool(pool_path), ["zebra"], 3).ids == -1).all()
    with pytest.raises(ConfigurationError, match="candidates is 0"):
        TwoStageRetriever(Bm25Retriever(), Bm25Retriever(), 0)


def test_a_second_search_knows_nothing_of_the_first(pool_path: str) -> None:
    """As published, rows of a second round were named by the ids of the first."""
    retriever, pool = (
        TwoStageRetriever(ExactRetriever(NumberEncoder()), ExactRetriever(NumberEncoder()), 6),
        Pool(pool_path),
    )
    retriever.retrieve(pool, ["number 3"], 4)
    again = retriever.retrieve(pool, ["number 20"], 4)
    assert again.ids.tolist() == ExactRetriever(NumberEncoder()).retrieve(pool, ["number 20"], 4).ids.tolist()
