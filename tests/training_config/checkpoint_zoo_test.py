"""A zoo of tiny checkpoints, from a text to a selection."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import pytest
from allennlp.common import Params

from attribution.encoders import TransformerEncoder, Vectors
from attribution.similarity import SimilarityMatrix, linear_cka
from attribution.sweeps.grid import point_name
from tests.conftest import WORDS

CONFIGS = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo"
NER = str(Path(__file__).parents[1] / "fixtures" / "probing" / "conll2003_ner.txt")


def test_the_published_34_in_their_order(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (shared_data / "zoo" / "ckpts.txt").read_text().split()
    assert Params.from_file(CONFIGS / "features.jsonnet").as_dict()["axes"]["CHECKPOINT"] == names
    monkeypatch.setenv("TEXT_PATH", "text")
    for name, part in (("bart-large", "decoder"), ("t5-base", None)):
        monkeypatch.setenv("CHECKPOINT", name)
        assert Params.from_file(CONFIGS / "words.jsonnet").as_dict()["encoder"].get("part") == part
    monkeypatch.setenv("CHECKPOINT", "bart")
    with pytest.raises(RuntimeError, match="the zoo has no checkpoint bart; there are albert-base, "):
        Params.from_file(CONFIGS / "words.jsonnet")


def test_from_a_text_to_a_selection(
    tiny_model: Callable[[str], str], allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One checkpoint that cannot be loaded is named and the others are made."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model("bert"), broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    zoo = {name: {"model_name": tiny_model(name)} for name in ("bert", "gpt2", "t5")}
    zoo["bart"] = {"model_name": tiny_model("bart"), "part": "decoder", "max_length": 11}
    zoo["broken"] = {"model_name": str(broken)}
    text = tmp_path / "text.txt"
    text.write_text("".join(" ".join(WORDS[(line * 7 + n) % 41] for n in range(12)) + "\n" for line in range(8)))
    variables = {"ZOO": json.dumps(zoo), "TEXT_PATH": str(text), "VECTORS": str(tmp_path / "zoo/words/CHECKPOINT=*")}
    variables |= {"COVARIANCE_PATH": str(tmp_path / "kappa" / "similarity.npz"), "K": "2", "DTYPE": "float32"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = allennlp("sweep", CONFIGS / "features.jsonnet", "-s", tmp_path / "zoo")
    assert result.status == 1 and "Traceback" not in result.stderr
    assert "1 steps failed" in result.stderr and f"{broken}: cannot be loaded" in result.stderr
    assert allennlp("similarity", CONFIGS / "similarity.jsonnet", "-s", tmp_path / "kappa").status == 0
    matrix = SimilarityMatrix.load(tmp_path / "kappa" / "similarity.npz")
    assert matrix.targets == matrix.sources == ["bart", "bert", "gpt2", "t5"]
    folders = [Vectors(tmp_path / "zoo" / "words" / f"CHECKPOINT={name}") for name in matrix.sources]
    # BART reads nine words of each sentence; the others' tenth to twelfth do not count either.
    read = [np.concatenate(list(each.blocks())).reshape(8, 12, 16)[:, :9].reshape(72, 16) for each in folders]
    np.testing.assert_allclose(matrix.scores, linear_cka(read), atol=1e-6)
    result = allennlp("select", CONFIGS / "select.jsonnet", "-s", tmp_path / "chosen")
    assert result.status == 0 and len(json.loads((tmp_path / "chosen" / "selected.json").read_text())["names"]) == 2
    _check_the_published_rows(allennlp, folders, tmp_path)
    _check_the_published_convergence(allennlp, monkeypatch, tmp_path)


def _check_the_published_rows(allennlp: Any, folders: List[Vectors], tmp_path: Path) -> None:
    """All twelve words of a sentence for pairs without BART, nine for its own."""
    settings = ["-o", json.dumps({"measure.rows": "pair"})]
    assert allennlp("similarity", CONFIGS / "similarity.jsonnet", "-s", tmp_path / "pairs", *settings).status == 0
    values = [np.concatenate(list(each.blocks())).reshape(8, 12, 16) for each in folders]
    wanted = linear_cka([each.reshape(96, 16) for each in values])
    wanted[0] = wanted[:, 0] = linear_cka([each[:, :9].reshape(72, 16) for each in values])[0]
    np.testing.assert_allclose(SimilarityMatrix.load(tmp_path / "pairs" / "similarity.npz").scores, wanted, atol=1e-6)


def _check_the_published_convergence(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the kernels of three sentences and more to that of a .npy, and the dendrogram."""
    monkeypatch.setenv("SIZES", "3 5 8")
    assert allennlp("sweep", CONFIGS / "sizes_in_sentences.jsonnet", "-s", tmp_path / "sizes").status == 0
    whole = SimilarityMatrix.load(tmp_path / "kappa" / "similarity.npz")
    at_eight = SimilarityMatrix.load(tmp_path / "sizes" / "kappa" / "SENTENCES=8" / "similarity.npz")
    assert np.array_equal(at_eight.scores, whole.scores)
    order = [3, 1, 0, 2]
    np.save(tmp_path / "kappa.npy", whole.scores[np.ix_(order, order)])
    (tmp_path / "ckpts.txt").write_text("".join(f"{whole.sources[place]}\n" for place in order))
    for name, value in {
        "COVARIANCE_PATH": tmp_path / "kappa.npy",
        "NAMES_PATH": tmp_path / "ckpts.txt",
        "OTHERS": tmp_path / "sizes" / "kappa" / "SENTENCES=*",
    }.items():
        monkeypatch.setenv(name, str(value))
    result = allennlp("compare-covariances", CONFIGS / "compare_covariances.jsonnet", "-s", tmp_path / "convergence")
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "convergence" / "comparisons.json").read_text())["others"]
    assert list(found) == ["3", "5", "8"] and abs(found["8"]["kl"]) < 1e-9 < found["5"]["kl"]
    page = ["report", tmp_path / "convergence", tmp_path / "kappa", "--linkage", "ward", "-s", tmp_path / "page"]
    assert allennlp(*page).status == 0
    assert "ward linkage" in (tmp_path / "page" / "index.html").read_text()


def test_single_ones_that_are_called_by_hub_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's folders have no slashes in their names."""
    for name, value in {"TASK": "conllx_pos", "FEATURES": "words/CHECKPOINT=*", "CHECKPOINTS": "a/b c"}.items():
        monkeypatch.setenv(name, value)
    sweep = Params.from_file(CONFIGS / "compare_singles.jsonnet").as_dict()
    assert [point_name({"CHECKPOINT": name}, ["CHECKPOINT"]) for name in ("a/b", "c")] == [
        sweep["steps"]["probe"]["environment"]["FEATURES"].replace("words/", "").replace("{CHECKPOINT}", name)
        for name in sweep["axes"]["CHECKPOINT"]
    ]


def test_sets_and_singles_on_a_task(
    tiny_model: Callable[[str], str], allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Probes read what `embed` stored: no checkpoint is loaded again."""
    zoo = {name: {"model_name": tiny_model(name)} for name in ("bert", "gpt2", "t5")}
    variables = {"ZOO": json.dumps(zoo), "TEXT_PATH": NER, "READER": "conll2003_ner", "DTYPE": "float32"}
    variables |= {"TASK": "conll2003_ner", "ENCODING": "BIO", "KS": "1 2", "ROUNDS": "2", "SEEDS": "0", "EPOCHS": "1"}
    variables |= {f"{split}_DATA_PATH": NER for split in ("TRAIN", "VALIDATION", "TEST")}
    variables |= {"FEATURES": f"{tmp_path}/zoo/words/CHECKPOINT=*", "COVARIANCE_PATH": str(tmp_path / "kappa.npy")}
    variables |= {"NAMES_PATH": str(tmp_path / "names.txt"), "CHECKPOINTS": "bert gpt2 t5"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    np.save(tmp_path / "kappa.npy", np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]]))
    (tmp_path / "names.txt").write_text("bert\ngpt2\nt5\n")
    assert allennlp("sweep", CONFIGS / "features.jsonnet", "-s", tmp_path / "zoo").status == 0
    monkeypatch.setattr(TransformerEncoder, "load", None)
    for config, axes in (("sets", ["K", "SELECTOR"]), ("singles", ["CHECKPOINT"])):
        result = allennlp("sweep", CONFIGS / f"compare_{config}.jsonnet", "-s", tmp_path / config)
        assert result.status == 0, result.stderr
        with (tmp_path / config / "results.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert all(float(row["probe.test_f1_mean"]) >= 0 for row in rows)
        assert {tuple(row[axis] for axis in axes) for row in rows} == {
            "sets": {(size, selector) for size in "12" for selector in ("mmi", "random")},
            "singles": {(name,) for name in zoo},
        }[config]
    chosen = tmp_path / "sets" / "chosen" / "K=2,ROUND=1,SELECTOR=mmi" / "selected.json"
    assert set(json.loads(chosen.read_text())["names"]) & {"t5"}
    for name, value in {"SELECTORS": "mmi", "KS": "1", "ROUNDS": "1"}.items():
        monkeypatch.setenv(name, value)
    fractions = {"axes.FRACTION": [0.5, 1], "steps.probe.overrides": {"dataset_reader.fraction": "{FRACTION}"}}
    command = ["sweep", CONFIGS / "compare_sets.jsonnet", "-s", tmp_path / "fractions", "-o", json.dumps(fractions)]
    assert allennlp(*command).status == 0
    runs = [path for path in (tmp_path / "fractions" / "probe").iterdir() if path.is_dir()]
    settings = [Params.from_file(run / "config.json").as_dict()["dataset_reader"]["fraction"] for run in runs]
    assert sorted(settings) == [0.5, 1]
