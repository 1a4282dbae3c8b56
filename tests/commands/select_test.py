import json
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import numpy as np
import pytest

from attribution.similarity import SimilarityMatrix
from tests.encoders.conftest import store_words

NAMES = ["bert", "gpt2", "t5", "bart", "roberta"]
# bert and roberta are alike, and t5 and bart; gpt2 is between.
VALUES = np.array(
    [
        [1.0, 0.3, 0.1, 0.1, 0.8],
        [0.3, 1.0, 0.2, 0.2, 0.3],
        [0.1, 0.2, 1.0, 0.7, 0.1],
        [0.1, 0.2, 0.7, 1.0, 0.1],
        [0.8, 0.3, 0.1, 0.1, 1.0],
    ]
)
CONFIG = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "select.jsonnet"


@pytest.fixture
def select(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """(variables of the shipped configuration, further arguments) -> the command's result; it writes to `out`."""
    np.save(tmp_path / "kappa.npy", VALUES)
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")

    def run(*arguments: str, **variables: Optional[str]) -> Any:
        settings = {"COVARIANCE_PATH": str(tmp_path / "kappa.npy"), "NAMES_PATH": str(tmp_path / "names.txt"), "K": "2"}
        for name, value in {"NORMALIZE": None, **settings, **variables}.items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        return allennlp("select", CONFIG, "-s", tmp_path / "out", *arguments)

    return run


@pytest.fixture
def fails(select: Any, tmp_path: Path) -> Callable[..., None]:
    def check(*messages: str, overrides: Optional[Dict[str, Any]] = None, **variables: Optional[str]) -> None:
        result = select("-o", json.dumps(overrides or {}), **variables)
        assert result.status == 1 and "Traceback" not in result.stderr, result.stderr
        *_, last = result.stderr.rsplit("error: ", 1)
        for message in messages:
            assert message in last, last
        assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))

    return check


def _selected(tmp_path: Path) -> Dict[str, Any]:
    return json.loads((tmp_path / "out" / "selected.json").read_text())


def test_the_picks_are_printed_and_written(select: Any, tmp_path: Path) -> None:
    result = select()
    assert result.status == 0, result.stderr
    selected = _selected(tmp_path)
    assert list(selected) == ["names", "indices", "information"]
    assert selected["names"] == ["bert", "t5"] and selected["indices"] == [0, 2]
    rest = [1, 3, 4]
    blocks = [VALUES[np.ix_(part, part)] for part in ([0, 2], rest)]
    wanted = (sum(np.log(np.linalg.det(block)) for block in blocks) - np.log(np.linalg.det(VALUES))) / 2
    assert selected["information"][1] == pytest.approx(wanted)
    assert "2 of 5, with the mutual information (nats)" in result.stdout
    assert f"\n  t5 {wanted:.4f}\n" in result.stdout and "\n  bert " in result.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [Path(file["path"]).name for file in manifest["inputs"]] == ["kappa.npy", "names.txt"]
    assert "finished already" in select().stdout


@pytest.mark.parametrize(
    "variables, names",
    [
        ({"HUB_START": "true"}, ["bert", "t5"]),
        ({"SELECTOR": "entropy"}, ["bert", "t5"]),
        ({"SELECTOR": "hub"}, ["bert", "roberta"]),
        ({"SELECTOR": "fixed", "FIXED": "gpt2 bart bert"}, ["gpt2", "bart"]),
        ({"SELECTOR": "k_medoids"}, ["bert", "t5"]),
        ({"SELECTOR": "exhaustive"}, ["bert", "t5"]),
        ({"SELECTOR": "top_k_on_task"}, ["bart", "gpt2"]),
    ],
)
def test_every_selector(variables: Dict[str, str], names: Any, select: Any, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps(dict(zip(NAMES, [0.1, 0.6, 0.2, 0.9, 0.3]))))
    result = select(SCORES=str(scores), **variables)
    assert result.status == 0, result.stderr
    assert _selected(tmp_path)["names"] == names
    inputs = json.loads((tmp_path / "out" / "manifest.json").read_text())["inputs"]
    assert (len(inputs) == 3) == (variables.get("SELECTOR") == "top_k_on_task")


@pytest.mark.parametrize("selector", ["log_me", "h_score"])
def test_by_features_of_a_labelled_task(selector: str, select: Any, tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 40)
    np.save(tmp_path / "labels.npy", labels)
    for signal, name in enumerate(NAMES):
        np.save(tmp_path / "features" / f"{name}.npy", generator.normal(size=(40, 2)) + signal * labels[:, None])
    result = select(SELECTOR=selector, FEATURES=str(tmp_path / "features"), LABELS=str(tmp_path / "labels.npy"))
    assert result.status == 0, result.stderr
    assert _selected(tmp_path)["names"] == ["roberta", "bart"]
    assert len(json.loads((tmp_path / "out" / "manifest.json").read_text())["inputs"]) == 8


def test_by_features_that_embed_stored(select: Any, tmp_path: Path) -> None:
    """Of a sweep: its folders are called by an axis and its values."""
    labels = np.arange(40) % 2
    for signal, name in enumerate(NAMES):
        values = np.random.default_rng(signal).normal(size=(40, 2)) + signal * labels[:, None]
        store_words(tmp_path / "words" / f"CHECKPOINT={name}", [], values.astype(np.float32))
    np.save(tmp_path / "labels.npy", labels)
    result = select(SELECTOR="log_me", FEATURES=f"{tmp_path}/words/CHECKPOINT=*", LABELS=str(tmp_path / "labels.npy"))
    assert result.status == 0, result.stderr
    assert _selected(tmp_path)["names"] == ["roberta", "bart"]


def test_random_rounds(select: Any, tmp_path: Path) -> None:
    sets = []
    for number in range(3):
        assert select("--force", SELECTOR="random", SEED="1", ROUND=str(number)).status == 0
        sets.append(frozenset(_selected(tmp_path)["names"]))
    assert len(set(sets)) == 3


def test_deltas_from_their_similarity_matrix(select: Any, tmp_path: Path) -> None:
    path = tmp_path / "similarity.npz"
    SimilarityMatrix(NAMES, NAMES, VALUES, True, "model").save(path)
    assert select(COVARIANCE_PATH=str(path), NAMES_PATH=None).status == 0
    assert _selected(tmp_path)["names"] == ["bert", "t5"]
    assert select("--force", COVARIANCE_PATH=str(path)).status == 0
    order = [4, 3, 2, 1, 0]
    parts = np.stack([VALUES, VALUES[order][:, order] * 0.2 + 0.8 * np.eye(5)], 2)
    SimilarityMatrix(NAMES, NAMES, parts, True, "block", ["a", "b"]).save(path)
    for part, wanted in ((None, ["bert", "t5"]), ("0", ["bert", "t5"]), ("1", ["bert", "gpt2"])):
        assert select("--force", COVARIANCE_PATH=str(path), PART=part).status == 0
        assert _selected(tmp_path)["names"] == wanted, part


def test_similarities_that_are_sums_are_normalized(select: Any, tmp_path: Path) -> None:
    """As those of hidden states are: 8 with oneself, and not the same from both sides."""
    path = tmp_path / "similarity.npz"
    uneven = 0.01 * np.triu(np.ones((5, 5)), 1)
    SimilarityMatrix(NAMES, NAMES, 8 * (VALUES + uneven - uneven.T), True, "model").save(path)
    result = select(COVARIANCE_PATH=str(path), NAMES_PATH=None)
    assert result.status == 1 and "1 is needed on the diagonal" in result.stderr and "(`normalize`)" in result.stderr
    assert select(COVARIANCE_PATH=str(path), NAMES_PATH=None, NORMALIZE="true").status == 0
    assert _selected(tmp_path)["names"] == ["bert", "t5"]
    information = _selected(tmp_path)["information"]
    assert select("--force").status == 0
    np.testing.assert_allclose(_selected(tmp_path)["information"], information)


def test_a_repair_is_told(select: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "kappa.npy", np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]]))
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    result = select()
    assert result.status == 0, result.stderr
    assert "made positive definite: the smallest eigenvalue was" in result.stdout


def test_the_published_kernel(select: Any, shared_data: Path, tmp_path: Path) -> None:
    zoo = shared_data / "zoo"
    if not zoo.is_dir():
        pytest.skip("the published kernel is not there")
    paths = {"COVARIANCE_PATH": str(zoo / "kappa.npy"), "NAMES_PATH": str(zoo / "ckpts.txt")}
    assert select(**paths, K=None).status == 0
    selected = _selected(tmp_path)
    assert selected["names"] == ["roberta-base", "distilbert-base-uncased", "t5-base", "bert-base-cased", "bart-large"]
    assert selected["information"][-1] == pytest.approx(2.9484, abs=5e-5)


@pytest.mark.parametrize(
    "variables, messages",
    [
        ({"K": "6"}, ["k is 6; a number from 1 to the 5 members"]),
        ({"HUB_START": "yes"}, ["HUB_START is yes; true or false is needed"]),
        ({"NORMALIZE": "yes"}, ["NORMALIZE is yes; true or false is needed"]),
        ({"K": "0"}, ["k is 0; a number from 1"]),
        ({"SELECTOR": "mni"}, ["mni", "mmi"]),
        ({"SELECTOR": "fixed", "FIXED": "bert gpt3"}, ["'gpt3' is not among the 5 members"]),
        ({"SELECTOR": "random", "ROUND": "10"}, ["there are 10 sets of 2 among 5"]),
        ({"SELECTOR": "random", "SEED": "-1"}, ["seed is -1"]),
        ({"SELECTOR": "top_k_on_task", "SCORES": "/nowhere.json"}, ["/nowhere.json: no such file"]),
        ({"COVARIANCE_PATH": "/nowhere.npy"}, ["/nowhere.npy: no such file"]),
        ({"NAMES_PATH": "/nowhere.txt"}, ["/nowhere.txt: no such file"]),
        ({"NAMES_PATH": None}, ["a .npy has no names; give a text file"]),
        ({"PART": "0"}, ["part: ", "kappa.npy has none"]),
        ({"TOLERANCE": "-1"}, ["tolerance is -1"]),
    ],
)
def test_a_wrong_setting(variables: Dict[str, Optional[str]], messages: Any, fails: Any) -> None:
    fails(*messages, **variables)


def test_wrong_settings_by_type(fails: Any) -> None:
    fails('"k" is "two"; a whole number', overrides={"k": "two"})
    fails('hub_start" is "perhaps"; true or false', overrides={"selector.hub_start": "perhaps"})


@pytest.mark.parametrize(
    "text, message",
    [
        ("bert\ngpt2\n", "covariance: 5 rows for 2 names"),
        ("bert\ngpt2\nbert\nt5\nbart\n", "names.txt:3: a name that was there before: 'bert'"),
        ("bert\n\ngpt2\nt5\nbart\n", "names.txt:2: an empty line; one name a line is needed"),
        ("", "names.txt: the file is empty"),
    ],
)
def test_wrong_names(text: str, message: str, fails: Any, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text)
    fails(message)


def test_wrong_covariances(fails: Any, tmp_path: Path) -> None:
    path = tmp_path / "kappa.npy"
    for row, column, value, message in (
        (0, 2, np.nan, "the value of 'bert' and 't5' is nan"),
        (0, 2, 0.4, "not symmetric; the value of 'bert' and 't5' is 0.4 one way and 0.1 the other"),
        (1, 1, 0.9, "the value of 'gpt2' and 'gpt2' is 0.9, and 1 is needed on the diagonal"),
    ):
        values = VALUES.copy()
        values[row, column] = value
        np.save(path, values)
        fails(message)
    np.save(path, VALUES - 0.9 * (1 - np.eye(5)))
    fails("not positive definite; its smallest eigenvalue is -", "(`tolerance`)")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    fails("kappa.npy: not the .npy of a covariance")
    path.write_bytes(path.read_bytes()[:40])
    fails("kappa.npy: not the .npy of a covariance")
    with path.open("wb") as file:
        np.savez(file, values=VALUES)
    fails("kappa.npy: is an archive")


def test_wrong_similarities(fails: Any, tmp_path: Path) -> None:
    path = tmp_path / "similarity.npz"
    variables = {"COVARIANCE_PATH": str(path), "NAMES_PATH": None}
    np.savez(path, values=VALUES)
    fails("similarity.npz: not a similarity matrix", **variables)
    SimilarityMatrix(NAMES, NAMES, VALUES, False, "model").save(path)
    fails("has distances or losses", **variables)
    SimilarityMatrix(NAMES[:3], NAMES, VALUES[:3], True, "model").save(path)
    fails("has other targets than sources", **variables)
    SimilarityMatrix(NAMES, NAMES, VALUES, True, "model").save(path)
    fails("part is 1", "has 1, from 0", **variables, PART="1")
    (tmp_path / "names.txt").write_text("\n".join(reversed(NAMES)))
    fails("names.txt does not have the names of", COVARIANCE_PATH=str(path))
