import json
import pickle
from pathlib import Path
from typing import Any, Callable

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.dataset_readers import P3ClusterReader

FOLDER = Path(__file__).parents[2] / "fixtures" / "p3_cluster"
P3, CLUSTER = str(FOLDER / "p3.json"), str(FOLDER / "cluster.json")


def test_a_whole_example() -> None:
    first, second = P3ClusterReader(P3, model_name="unused").examples(CLUSTER)
    assert (first.input, first.options) == ("a cat ? ", ["not entailed", "entailed"])
    assert first.answer == 1  # The first option that contains the target is another one.
    assert first.details == {
        "id": "super_glue_rte_does_this_imply:0",
        "dataset_name": "super_glue_rte_does_this_imply",
        "index": 0,
    }
    assert first.where == f"{P3}: super_glue_rte_does_this_imply, train, 0"
    assert (second.input, second.options, second.answer) == ("five", ["10", "1"], 1)


def test_skipped_rows_are_counted(tiny_model: Callable[[str], str]) -> None:
    settings = {"p3_data_path": P3, "split_name": "train", "model_name": tiny_model("t5"), "max_query_length": 8}
    reader = DatasetReader.from_params(Params({"type": "p3_cluster", **settings}))
    assert [instance["row"].metadata for instance in reader.read(CLUSTER)] == [0, 8]
    counts = {name: count for name, count in reader.counts.items() if "skipped" in name}  # type: ignore[attr-defined]
    assert counts == {
        "rows skipped: fewer than 2 options or more than 10": 2,
        "rows skipped: not marked as correct": 1,
        "rows skipped: the target is no option": 1,
        "rows skipped: no such id in p3_data_path": 1,
        "rows skipped: no such dataset in p3_data_path": 2,
    }


def test_the_other_split() -> None:
    [example] = P3ClusterReader(P3, "validation", "unused").examples(CLUSTER)
    assert (example.input, example.answer) == ("four ?", 1)
    with pytest.raises(ConfigurationError, match="has no rows"):
        list(P3ClusterReader(P3, "test", "unused").examples(CLUSTER))


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.pkl"
    path.write_bytes(pickle.dumps({"ag_news_classify": {"train": [1]}}))
    with pytest.raises(ConfigurationError, match="cluster.pkl: is a pickle. Those are never read.*json.dump"):
        list(P3ClusterReader(P3, model_name="unused").examples(str(path)))


@pytest.mark.parametrize(
    "cluster, p3, message",
    [
        ({"a": [1]}, {"a": {"train": {"1": {}}}}, "not as p3_cluster has them"),
        ({"a": {"train": [1]}}, {"a": []}, "not as p3_cluster has them"),
        ({"a": {"train": [1]}}, {"a": {"train": {"1": {"input": "b"}}}}, "p3.json: a, train, 1: no text .* or no list"),
    ],
)
def test_bad_files(cluster: Any, p3: Any, message: str, tmp_path: Path) -> None:
    for name, content in (("cluster.json", cluster), ("p3.json", p3)):
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=message):
        list(P3ClusterReader(str(tmp_path / "p3.json"), model_name="unused").examples(str(tmp_path / "cluster.json")))
