from typing import Any, Callable, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.dataset_readers import P3JsonlReader
from attribution.retrievers import Queries


def _queries(path: str, **settings: Any) -> Queries:
    return Queries(path, P3JsonlReader("unused"), **settings)


@pytest.fixture
def path(write_jsonl: Callable[..., str]) -> str:
    """20 inputs, of which every fifth has the answer Yes."""
    rows = [{"input": f"paragraph {n}", "target": "No" if n % 5 else "Yes"} for n in range(20)]
    return write_jsonl("queries.jsonl", rows)


def _numbers(queries: Queries) -> List[int]:
    return [int(text.split()[-1]) for text in queries.texts]


def test_the_first_or_any(path: str) -> None:
    assert _numbers(_queries(path, size=3)) == [0, 1, 2] and _queries(path, size=3).count == [True] * 3
    drawn = _numbers(_queries(path, size=6, shuffle=True))
    assert len(set(drawn)) == 6 and drawn != [0, 1, 2, 3, 4, 5]
    assert drawn == _numbers(_queries(path, size=6, shuffle=True))
    assert drawn != _numbers(_queries(path, size=6, shuffle=True, seed=1))
    firsts = {_numbers(_queries(path, size=1, shuffle=True, seed=seed))[0] for seed in range(200)}
    assert firsts == set(range(20))


def test_labels_are_not_needed(write_jsonl: Callable[..., str]) -> None:
    assert _queries(write_jsonl("inputs.jsonl", [{"input": "a"}, {"input": "b"}])).texts == ["a", "b"]


def test_bad_rows_are_skipped_and_counted(write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    path = write_jsonl("some.jsonl", [{"input": [3]}, {"input": "a"}, {"input": " "}, {"text": "b"}])
    with open(path, "a") as file:
        file.write('{"input": \n{"input": "c"}\n')
    assert _queries(path, on_bad_row="skip").texts == ["a", "c"]
    for message in ("2 rows skipped: no text under `input`", "1 rows skipped: empty", "1 rows skipped: not valid JSON"):
        assert message in caplog.text
    with pytest.raises(ConfigurationError, match="some.jsonl:1: no text under `input`"):
        _queries(path)
    none = write_jsonl("none.jsonl", [{"input": [3]}])
    with pytest.raises(ConfigurationError, match="no query in it; {'rows skipped: no text under `input`': 1}"):
        _queries(none, on_bad_row="skip")


@pytest.mark.parametrize("ratio, negatives", [(0, 0), (1, 4), (2.5, 10), (100, 16)])
def test_so_many_negatives_for_each_positive(ratio: float, negatives: int, path: str) -> None:
    numbers = _numbers(_queries(path, positive="Yes", negative_ratio=ratio))
    assert {0, 5, 10, 15} <= set(numbers) and len(numbers) == 4 + negatives
    assert numbers == sorted(numbers)  # In the file's order.


def test_only_positive_ones_count(path: str) -> None:
    assert _queries(path, positive="Yes").count == [True] * 20
    assert _queries(path, positive="Yes", positive_only=True).count == [n % 5 == 0 for n in range(20)]


def test_mistakes(path: str, write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="no query has the answer 'Maybe'"):
        _queries(path, positive="Maybe")
    with pytest.raises(ConfigurationError, match="negative_ratio and positive_only need positive"):
        _queries(path, positive_only=True)
    with pytest.raises(ConfigurationError, match="size is 0"):
        _queries(path, size=0)
    with pytest.raises(ConfigurationError, match=r"empty.jsonl:2: empty input"):
        _queries(write_jsonl("empty.jsonl", [{"input": "a"}, {"input": "  "}]))
    with pytest.raises(ConfigurationError, match=r"none.jsonl:1: no text under `input`; there are \['text'\]"):
        _queries(write_jsonl("none.jsonl", [{"text": "a"}]))
    with pytest.raises(ConfigurationError, match="on_bad_row is 'ignore'; stop and skip are possible"):
        _queries(path, on_bad_row="ignore")
    with pytest.raises(ConfigurationError, match="a DatasetReader does not make prompts"):
        Queries(path, DatasetReader())
