from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import write_manifest
from attribution.encoders.vectors import open_shard, shards, write_shard
from attribution.similarity import KernelAlignment, TargetTask, kernel_alignment, kernel_cka, linear_cka
from tests.similarity.conftest import source_of


@pytest.fixture
def embedded(tmp_path: Path) -> Callable[..., Path]:
    """(name, vectors, hash of the rows' file) -> a folder as `allennlp embed` leaves it."""

    def write(name: str, vectors: np.ndarray, pool: str = "a", command: str = "embed") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for shard in shards(len(vectors), 4):
            write_shard(folder, shard, vectors[shard.first : shard.end])
        identity = {"pool": {"sha256": pool}, "rows": len(vectors), "shard_rows": 4, "encoder": name}
        write_manifest(folder, command, [], {}, identity)
        return folder

    return write


def _values(rows: int = 10, width: int = 5) -> Any:
    generator = np.random.default_rng(0)
    return [
        generator.normal(size=(rows, w)).astype(d) for w, d in ((3, np.float16), (width, np.float32), (4, np.float16))
    ]


def test_the_alignment_of_all_shards(embedded: Callable[..., Path]) -> None:
    values = _values()
    folders = [embedded(name, vectors) for name, vectors in zip("abc", values)]
    measure = KernelAlignment()
    np.testing.assert_allclose(measure.compare_all(folders), linear_cka(values), atol=1e-6)
    pair = measure.compare(TargetTask("a", [], folders[0]), source_of(folders[1]), None, None)
    assert pair["model"] == pytest.approx(linear_cka(values[:2])[0, 1], abs=1e-6)
    assert measure.files(folders[0]) == [folders[0] / "manifest.json"]


def test_files_are_not_opened_for_each_pair(embedded: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty sets in three groups, of one shard each: 780 pairs."""
    generator = np.random.default_rng(0)
    folders = [embedded(f"{number:02d}", generator.normal(size=(4, 1))) for number in range(40)]
    values = [np.load(folder / "vectors_0000000000.npy") for folder in folders]
    opened: List[Path] = []
    monkeypatch.setattr(kernel_alignment, "open_shard", lambda path: (opened.append(path), open_shard(path))[1])
    alignment = KernelAlignment(centred=False).compare_all(folders)
    np.testing.assert_allclose(alignment, linear_cka(values, centred=False), atol=1e-6)
    assert len(opened) == len(set(opened)) == 40


@pytest.mark.parametrize("width", [5, 300])
def test_rows_of_zeros_count_for_nobody(width: int, embedded: Callable[..., Path]) -> None:
    """By cross-moments and, where sets are wide, by kernels. The published script has other rows for other pairs."""
    values = _values(20, width)
    values[0][3] = 0
    values[1][[5, 19]] = 0
    common = np.delete(np.arange(20), [3, 5, 19])
    folders = [embedded(name, vectors) for name, vectors in zip("abc", values)]
    wanted = linear_cka([each[common] for each in values])
    np.testing.assert_allclose(KernelAlignment().compare_all(folders), wanted, atol=1e-6)
    some = linear_cka([each[common[:12]] for each in values])
    np.testing.assert_allclose(KernelAlignment(max_rows=12).compare_all(folders), some, atol=1e-6)
    assert np.linalg.eigvalsh(wanted)[0] > 0


@pytest.mark.parametrize(
    "settings, wanted",
    [
        ({"kernel": "rbf", "bandwidth": 0.7}, lambda sets: kernel_cka(sets, bandwidth=0.7)),
        ({"estimator": "debiased"}, lambda sets: kernel_cka(sets, estimator="debiased")),
        (
            {"kernel": "rbf", "estimator": "minibatch", "batch_size": 5, "seed": 3},
            lambda sets: kernel_cka(sets, None, 1.0, "minibatch", 5, 3),
        ),
        ({"centred": False}, lambda sets: linear_cka(sets, centred=False)),
    ],
)
def test_settings(settings: Any, wanted: Any, embedded: Callable[..., Path]) -> None:
    values = _values()
    folders = [embedded(name, vectors) for name, vectors in zip("abc", values)]
    np.testing.assert_allclose(KernelAlignment(**settings).compare_all(folders), wanted(values), atol=1e-5)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"pool": "b"}, "one and .*other have vectors of different rows .sha256 is 'a' there and 'b' here.; embed one"),
        ({"vectors": np.ones((10, 2))}, r"feature set 1 is the same in all rows; these are .*one \(0\), .*other \(1\)"),
        ({"command": "retrieve"}, "other: what retrieve wrote; stored vectors are embed's"),
        ({"vectors": np.zeros((10, 2))}, "one and 1 others have no row in common: each is zeros in one of them"),
    ],
)
def test_vectors_that_cannot_be_compared(settings: Any, message: str, embedded: Callable[..., Path]) -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    one, other = embedded("one", vectors), embedded("other", **{"vectors": vectors, **settings})
    with pytest.raises(ConfigurationError, match=message):
        KernelAlignment().compare_all([one, other])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"kernel": "poly"}, "measure.kernel: 'poly' is none of linear, rbf"),
        ({"estimator": "best"}, "measure.estimator: 'best' is none of biased, debiased, minibatch"),
        ({"bandwidth": 0.0}, "measure.bandwidth is 0.0; a number above 0"),
        ({"bandwidth": float("nan")}, "measure.bandwidth is nan"),
        ({"centred": False, "kernel": "rbf"}, "measure.centred: false is possible of the linear kernel"),
        ({"max_rows": 1}, "measure.max_rows is 1; two at least"),
        ({"rows": "all"}, "measure.rows: 'all' is none of common, pair"),
        ({"max_sentences": 0}, "measure.max_sentences is 0; one at least"),
        ({"estimator": "minibatch", "batch_size": 3}, "measure.batch_size is 3; four rows at least"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        KernelAlignment(**settings)


def _slowly(one: np.ndarray, other: np.ndarray) -> float:
    """By the kernels' entries, on the rows that both have."""
    rows = [row for row in range(len(one)) if one[row].any() and other[row].any()]
    kernels = []
    for each in (one, other):
        values = each[rows].astype(float)
        values -= values.mean(0)
        kernels.append([[float(sum(a * b for a, b in zip(x, y))) for y in values] for x in values])
    inner = [[sum(a * b for x, y in zip(left, right) for a, b in zip(x, y)) for right in kernels] for left in kernels]
    return inner[0][1] / (inner[0][0] * inner[1][1]) ** 0.5


def test_the_rows_of_each_pair_as_published(embedded: Callable[..., Path]) -> None:
    """Two sets have the same rows, two others have others."""
    generator = np.random.default_rng(1)
    values = [generator.normal(size=(20, width)).astype(np.float32) for width in (3, 4, 2, 5)]
    values[1][[0, 4]] = values[3][[7, 8, 9]] = 0
    folders = [embedded(name, vectors) for name, vectors in zip("abcd", values)]
    found = KernelAlignment(rows="pair").compare_all(folders)
    wanted = [[_slowly(one, other) for other in values] for one in values]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.abs(found - KernelAlignment().compare_all(folders)).max() > 1e-3
    values[1][:] = 0
    values[1][7:10] = 1
    folders[1] = embedded("e", values[1])
    with pytest.raises(ConfigurationError, match="e and 1 others have no row in common"):
        KernelAlignment(rows="pair").compare_all(folders)


def test_the_words_of_the_first_sentences(embedded: Callable[..., Path]) -> None:
    values = _values()
    values[0][1] = 0
    folders = [embedded(name, vectors) for name, vectors in zip("abc", values)]
    with pytest.raises(ConfigurationError, match="a: has no words"):
        KernelAlignment(max_sentences=2).compare_all(folders)
    for folder in folders:
        (folder / "sentences.jsonl").write_text(
            '["one", "two", "three"]\n["four", "five"]\n["a", "b", "c", "d", "e"]\n'
        )
    wanted = linear_cka([each[[0, 2, 3, 4]] for each in values])
    np.testing.assert_allclose(KernelAlignment(max_sentences=2).compare_all(folders), wanted, atol=1e-6)
    with pytest.raises(ConfigurationError, match="has 3 sentences, and 9 are asked for"):
        KernelAlignment(max_sentences=9).compare_all(folders)
