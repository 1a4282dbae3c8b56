import json
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from attribution.selection import Covariance, correlation, kl_divergence
from attribution.similarity import SimilarityMatrix

CONFIG = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "compare_covariances.jsonnet"
NAMES = ["bert", "gpt2", "t5"]


def _values(near: float) -> np.ndarray:
    return np.array([[1, near, 0.1], [near, 1, 0.2], [0.1, 0.2, 1]])


@pytest.fixture
def compare(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    for size, near in (("30", 0.9), ("200", 0.6), ("1000", 0.5)):
        folder = tmp_path / "kappa" / f"MAX_ROWS={size}"
        folder.mkdir(parents=True)
        SimilarityMatrix(NAMES, NAMES, _values(near), True, "model").save(folder / "similarity.npz")

    def run(**variables: str) -> Any:
        whole = str(tmp_path / "kappa" / "MAX_ROWS=1000" / "similarity.npz")
        for name, value in {
            "COVARIANCE_PATH": whole,
            "OTHERS": str(tmp_path / "kappa/MAX_ROWS=*"),
            **variables,
        }.items():
            monkeypatch.setenv(name, value)
        return allennlp("compare-covariances", CONFIG, "-s", tmp_path / "out")

    return run


def test_the_curve_over_sizes(compare: Any, tmp_path: Path) -> None:
    result = compare()
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "out" / "comparisons.json").read_text())
    assert list(found["others"]) == ["30", "200", "1000"]
    whole, some = (Covariance(NAMES, _values(near)) for near in (0.5, 0.6))
    wanted = {"kl": kl_divergence(whole, some), "correlation": correlation(whole, some), "repaired": None}
    assert found["others"]["200"] == wanted
    assert found["others"]["1000"]["kl"] == pytest.approx(0, abs=1e-12)
    assert found["isotropic"]["kl"] == pytest.approx(kl_divergence(whole, Covariance(NAMES, np.eye(3))))
    assert "200: KL" in result.stdout and (tmp_path / "out" / "convergence.png").is_file()
    assert b"independent members" in (tmp_path / "out" / "convergence.svg").read_bytes()


def test_members_that_a_small_probe_cannot_tell_apart(compare: Any, tmp_path: Path) -> None:
    """What the divergence then is the floor of eigenvalues alone decides: it is said."""
    folder = tmp_path / "kappa" / "MAX_ROWS=30"
    SimilarityMatrix(NAMES, NAMES, np.array([[1, 1, 0.1], [1, 1, 0.1], [0.1, 0.1, 1]]), True, "model").save(
        folder / "similarity.npz"
    )
    result = compare()
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "out" / "comparisons.json").read_text())["others"]
    assert abs(found["30"]["repaired"]) < 1e-12 and found["30"]["kl"] > 1e6 and found["200"]["repaired"] is None
    assert "30: KL " in result.stdout and result.stdout.count(" raised") == 1


def test_of_other_members_and_no_covariances(compare: Any, tmp_path: Path) -> None:
    def fails(message: str, **variables: str) -> None:
        result = compare(**variables)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr

    fails("others: no folder matches", OTHERS=str(tmp_path / "nothing/*"))
    (tmp_path / "kappa" / "more").mkdir()
    fails("more/similarity.npz: no such file", OTHERS=str(tmp_path / "kappa/*"))
    for matrix, message in (
        (
            SimilarityMatrix(["bert", "gpt2", "bart"], ["bert", "gpt2", "bart"], _values(0.5), True, "model"),
            "different members",
        ),
        (SimilarityMatrix(NAMES, NAMES[::-1], _values(0.5), True, "model"), "other targets than sources"),
        (SimilarityMatrix(NAMES, NAMES, _values(0.5), False, "model"), "a lower one is better"),
        (SimilarityMatrix(NAMES, NAMES, _values(np.nan), True, "model"), "is nan"),
        (SimilarityMatrix(NAMES, NAMES, _values(3), True, "model"), "not positive definite"),
    ):
        matrix.save(tmp_path / "kappa" / "more" / "similarity.npz")
        fails(message, OTHERS=str(tmp_path / "kappa/*"))


def test_kernels_and_their_names_as_published(compare: Any, tmp_path: Path) -> None:
    """A kernel of all names its rows in another order than ours; those of smaller probes are files, too."""
    order = [2, 0, 1]
    np.save(tmp_path / "kappa.all.npy", _values(0.5)[np.ix_(order, order)])
    np.save(tmp_path / "kappa.32.npy", _values(0.9)[np.ix_(order, order)])
    (tmp_path / "ckpts.txt").write_text("t5\nbert\ngpt2\n")
    files = {"COVARIANCE_PATH": str(tmp_path / "kappa.all.npy"), "NAMES_PATH": str(tmp_path / "ckpts.txt")}
    result = compare(**files)
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "out" / "comparisons.json").read_text())["others"]
    whole, some = (Covariance(NAMES, _values(near)) for near in (0.5, 0.6))
    assert found["200"]["kl"] == pytest.approx(kl_divergence(whole, some), rel=1e-9)
    shutil.rmtree(tmp_path / "out")
    result = compare(**files, OTHERS=str(tmp_path / "kappa.*.npy"))
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "out" / "comparisons.json").read_text())["others"]
    assert found["32"]["kl"] == pytest.approx(kl_divergence(whole, Covariance(NAMES, _values(0.9))), rel=1e-9)
    assert found["all"]["kl"] == pytest.approx(0, abs=1e-9)
    shutil.rmtree(tmp_path / "out")
    for changes, message in (
        ({"OTHERS": str(tmp_path / "no.*.npy")}, "others: no file matches"),
        ({"NAMES_PATH": ""}, "names: a .npy has no names; give a text file"),
        (
            {"COVARIANCE_PATH": str(tmp_path / "kappa/MAX_ROWS=30/similarity.npz")},
            "is for .npy files, and there are none",
        ),
    ):
        result = compare(**{**files, **changes})
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
