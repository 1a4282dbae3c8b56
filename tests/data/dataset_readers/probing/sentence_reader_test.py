"""What every reader of sentences does, with every task."""

import gzip
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo, WorkerInfo
from allennlp.data.vocabulary import Vocabulary

from tests.data.dataset_readers.probing.conftest import PROBING

FILES = {
    "conll2000_chunking": ("conll2000_chunking.txt", 5),
    "conll2003_ner": ("conll2003_ner.txt", 5),
    "conllx_pos": ("conllx_pos.conllx", 5),
    "semantic_tagging": ("semantic_tagging.tsv", 5),
    "token_error_detection": ("token_error_detection.tsv", 5),
    "constituency_ancestors": ("constituency_ancestors.txt", 6),
    "event_factuality": ("event_factuality.json", 5),
    "probe_text": ("probe_text.txt", 4),
}


@pytest.fixture(params=FILES)
def task(request: pytest.FixtureRequest) -> str:
    return request.param


def _reader(task: str, **settings: Any) -> DatasetReader:
    return DatasetReader.from_params(Params({"type": task, **settings}))


def _numbers(reader: DatasetReader, path: str) -> List[int]:
    return [instance["sentence"].metadata for instance in reader.read(path)]


def _fields(reader: DatasetReader, path: str) -> List[Dict[str, Any]]:
    return [instance.human_readable_dict() for instance in reader.read(path)]


def test_a_label_for_each_word_and_the_same_from_a_gzipped_file(task: str, tmp_path: Path) -> None:
    name, count = FILES[task]
    path = PROBING / name
    plain = _fields(_reader(task), str(path))
    assert [instance["sentence"] for instance in plain] == list(range(count))
    for instance in plain:
        if task == "probe_text":
            assert "labels" not in instance
        else:
            assert len(instance["labels"]) == len(instance["words"])
            assert instance["details"] == {"labels": instance["labels"]}
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert _fields(_reader(task), str(tmp_path / f"{name}.gz")) == plain


@pytest.mark.parametrize("ranks, workers", [(2, 1), (1, 3), (2, 4)])
def test_every_sentence_once_over_ranks_and_workers(task: str, ranks: int, workers: int) -> None:
    name, count = FILES[task]
    shares = []
    for rank in range(ranks):
        for worker in range(workers):
            reader = _reader(task)
            reader._set_distributed_info(DistributedInfo(ranks, rank))
            reader._set_worker_info(WorkerInfo(workers, worker) if workers > 1 else None)
            shares.append(_numbers(reader, str(PROBING / name)))
    assert sorted(number for share in shares for number in share) == list(range(count))


def test_max_instances(task: str) -> None:
    path = str(PROBING / FILES[task][0])
    assert _numbers(_reader(task, max_instances=3), path) == [0, 1, 2]
    shares = []
    for worker in range(2):
        reader = _reader(task, max_instances=3)
        reader._set_worker_info(WorkerInfo(2, worker))
        shares.append(_numbers(reader, path))
    assert shares == [[0, 2], [1]]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch(workers: int) -> None:
    path = str(PROBING / "token_error_detection.tsv")
    loader = MultiProcessDataLoader(
        _reader("token_error_detection"), path, batch_size=5, num_workers=workers, quiet=True
    )
    loader.index_with(Vocabulary.from_instances(loader.iter_instances()))
    [batch] = loader
    rows = dict(zip(batch["sentence"], zip(batch["words"], batch["labels"]["labels"], batch["labels"]["mask"])))
    words, labels, mask = rows[1]
    assert words == ["She", "sail", "on", "Mondays"]
    assert labels.tolist() == [0, 1, 1, 0, -100]
    assert mask.tolist() == [True, True, True, True, False]


def test_text_to_instance() -> None:
    reader = _reader("conllx_pos")
    assert reader.text_to_instance(["Row", "!"]).human_readable_dict() == {"words": ["Row", "!"], "sentence": 0}


def test_a_file_without_sentences(task: str, tmp_path: Path) -> None:
    path = tmp_path / "none.txt"
    path.write_text("{}" if task == "event_factuality" else "\n \n\n")
    reader = _reader(task)
    message = "no line has 10 words" if task == "probe_text" else "has no sentences"
    with pytest.raises(ConfigurationError, match=f"none.txt: {message}"):
        list(reader.read(str(path)))
    path.write_text("")
    with pytest.raises(ConfigurationError, match="none.txt: the file is empty"):
        list(reader.read(str(path)))
    with pytest.raises(ConfigurationError, match="nowhere.txt: no such file"):
        list(reader.read(str(tmp_path / "nowhere.txt")))


def test_a_random_fraction_of_a_file(task: str) -> None:
    name, count = FILES[task]
    path = str(PROBING / name)
    assert _numbers(_reader(task, fraction=1.0), path) == list(range(count))
    draws = {seed: _numbers(_reader(task, fraction=0.6, fraction_seed=seed), path) for seed in range(9)}
    half = _numbers(_reader(task, fraction=0.3), path)
    for seed, drawn in draws.items():
        assert len(drawn) == round(0.6 * count) and drawn == sorted(set(drawn)), seed
    assert len({tuple(drawn) for drawn in draws.values()}) > 1 and set(half) < set(draws[0])
    assert _fields(_reader(task, fraction=0.6), path) == [_fields(_reader(task), path)[number] for number in draws[0]]
    assert len(_numbers(_reader(task, fraction=0.001), path)) == 1


@pytest.mark.parametrize("settings", [{"fraction": 0.0}, {"fraction": 1.5}, {"fraction_seed": -1}])
def test_no_fraction(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(settings))} is"):
        _reader("probe_text", **settings)
