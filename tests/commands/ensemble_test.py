import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSeq2SeqLM

from attribution.ensembling.delta_folder import CONFIG, WEIGHTS
from attribution.similarity import SimilarityMatrix
from tests.ensembling.conftest import LORA, lora_tensors, write_delta_folder

TASKS = ["boolq", "copa", "rte", "wic"]
SCORES = np.array([[9.0, 1.0, 2.0, 3.0], [1.0, 9.0, 3.0, 2.0], [2.0, 1.0, 9.0, 1.0], [1.0, 1.0, 1.0, 9.0]])


@pytest.fixture
def deltas(tmp_path: Path) -> Path:
    for number, task in enumerate(TASKS):
        write_delta_folder(tmp_path / "runs" / task / "delta", lora_tensors(number), **LORA)
    SimilarityMatrix(TASKS, TASKS, SCORES, False, "model").save(tmp_path / "similarity.npz")
    return tmp_path / "runs"


@pytest.fixture
def config(deltas: Path, tmp_path: Path) -> Callable[..., str]:
    def make(**changes: Any) -> str:
        settings: Dict[str, Any] = {
            "deltas": str(deltas / "*" / "delta"),
            "similarity": str(tmp_path / "similarity.npz"),
            "weighting": {"type": "softmax", "temperature": 1.0},
        }
        settings = {key: value for key, value in {**settings, **changes}.items() if value is not None}
        path = tmp_path / "ensemble.jsonnet"
        path.write_text(json.dumps(settings))
        return str(path)

    return make


@pytest.fixture
def fails(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., None]:
    def check(*messages: str, **changes: Any) -> None:
        result = allennlp("ensemble", config(**changes), "-s", tmp_path / "out")
        assert result.status == 1 and "Traceback" not in result.stderr, result.stderr
        *_, last = result.stderr.rsplit("error: ", 1)
        for message in messages:
            assert message in last, last
        assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))

    return check


def test_all_leave_one_out_merges(config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("ensemble", config(), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert "4 deltas merged from 4; effective sources: median 2.3" in result.stdout
    for target, scores in zip(TASKS, SCORES):
        others = [number for number, name in enumerate(TASKS) if name != target]
        powers = np.exp(-scores[others])
        weights = dict(zip(others, powers / powers.sum()))
        report = json.loads((tmp_path / "out" / target / "weights.json").read_text())
        assert report["target"] == target
        assert report["weights"] == pytest.approx({TASKS[number]: weight for number, weight in weights.items()})
        wanted = {
            name: sum(float(weight) * lora_tensors(number)[name] for number, weight in weights.items())
            for name in lora_tensors(0)
        }
        torch.testing.assert_close(load_file(tmp_path / "out" / target / WEIGHTS), wanted)
        assert json.loads((tmp_path / "out" / target / CONFIG).read_text()) == LORA
    kept = SimilarityMatrix.load(tmp_path / "out" / "weights.npz")
    assert kept.targets == kept.sources == TASKS
    np.testing.assert_allclose(kept.scores.sum(1), 1)
    np.testing.assert_array_equal(kept.scores.diagonal(), 0)
    inputs = json.loads((tmp_path / "out" / "manifest.json").read_text())["inputs"]
    assert len(inputs) == 9 and all(len(file["sha256"]) == 64 for file in inputs)


def test_the_same_bytes_again_and_after_a_kill(
    config: Any, allennlp: Any, run_and_kill: Callable[..., None], deltas: Path, tmp_path: Path
) -> None:
    for number, task in enumerate(TASKS):
        generator = torch.Generator().manual_seed(number)
        tensors = {f"{block}.q.lora_A": torch.randn(400, 1000, generator=generator) for block in range(5)}
        write_delta_folder(deltas / task / "delta", tensors, **LORA)
    path = config(merger={"type": "ties"})
    assert allennlp("ensemble", path, "-s", tmp_path / "one").status == 0
    scratch = tmp_path / ".other.part"
    run_and_kill(["ensemble", path, "-s", tmp_path / "other"], lambda: (scratch / "wic" / WEIGHTS).exists())
    assert not (tmp_path / "other").exists() and scratch.exists()
    result = allennlp("ensemble", path, "-s", tmp_path / "other")
    assert result.status == 0, result.stderr
    files = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*") if file.is_file())
    assert len(files) == 15
    assert files == sorted(
        file.relative_to(tmp_path / "other") for file in (tmp_path / "other").rglob("*") if file.is_file()
    )
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file
    assert "finished already" in allennlp("ensemble", path, "-s", tmp_path / "other").stdout


def test_peft_loads_what_comes_out(
    config: Any, allennlp: Any, tiny_model: Callable[[str], str], deltas: Path, tmp_path: Path
) -> None:
    """Adapters that PEFT saved: the average of two is in the merged folder, and a model with it runs."""
    torch.manual_seed(1)
    shutil.rmtree(deltas)
    for name in ("a", "b"):
        model = get_peft_model(
            AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")), LoraConfig(r=2, init_lora_weights=False)
        )
        model.save_pretrained(deltas / name / "delta")
    changes = {"similarity": None, "weighting": "uniform", "targets": ["new", "a"]}
    assert allennlp("ensemble", config(**changes), "-s", tmp_path / "out").status == 0
    tensors = {name: load_file(deltas / name / "delta" / WEIGHTS) for name in ("a", "b")}
    merged = load_file(tmp_path / "out" / "new" / WEIGHTS)
    torch.testing.assert_close(merged, {name: (tensors["a"][name] + tensors["b"][name]) / 2 for name in merged})
    torch.testing.assert_close(load_file(tmp_path / "out" / "a" / WEIGHTS), tensors["b"])
    loaded = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")), tmp_path / "out" / "a")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        logits = [one.eval()(input_ids=ids, decoder_input_ids=ids).logits for one in (loaded, model)]
    torch.testing.assert_close(logits[0], logits[1])


def test_each_target_may_have_sources_of_its_own(config: Any, allennlp: Any, deltas: Path, tmp_path: Path) -> None:
    """As when every source is tuned on for every target, and the tuned ones are merged."""
    for row, target in enumerate(["boolq", "rte"]):
        for column, source in enumerate(["boolq", "copa", "wic"]):
            write_delta_folder(tmp_path / "tuned" / target / source, lora_tensors(10 * row + column), **LORA)
    changes = {"deltas": str(tmp_path / "tuned" / "{target}" / "*"), "targets": ["boolq", "rte"]}
    result = allennlp("ensemble", config(**changes, weighting={"type": "top_k", "k": 1}), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    torch.testing.assert_close(load_file(tmp_path / "out" / "boolq" / WEIGHTS), lora_tensors(1))
    torch.testing.assert_close(load_file(tmp_path / "out" / "rte" / WEIGHTS), lora_tensors(11))
    kept = SimilarityMatrix.load(tmp_path / "out" / "weights.npz")
    assert (kept.targets, kept.sources) == (["boolq", "rte"], ["boolq", "copa", "wic"])
    np.testing.assert_array_equal(kept.scores, [[0, 1, 0], [0, 1, 0]])


def test_targets_may_be_those_of_a_gym(config: Any, allennlp: Any, deltas: Path, tmp_path: Path) -> None:
    for name in sorted(path.name for path in deltas.iterdir())[:2]:
        (tmp_path / "gym" / name).mkdir(parents=True)
    path = config(targets=[str(tmp_path / "gym")])
    result = allennlp("ensemble", path, "-s", tmp_path / "merged")
    assert result.status == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "gym").iterdir())
    assert sorted(path.name for path in (tmp_path / "merged").iterdir() if path.is_dir()) == names
    for name in names:
        assert name not in json.loads((tmp_path / "merged" / name / "weights.json").read_text())["weights"]


def test_names_are_what_the_asterisks_stand_for(config: Any, allennlp: Any, deltas: Path, tmp_path: Path) -> None:
    for changes, names in (
        ({"deltas": str(deltas / "*" / "delta")}, TASKS),
        ({"deltas": str(deltas / "*" / "*"), "targets": ["new"]}, [f"{task}/delta" for task in TASKS]),
        ({"deltas": str(deltas / "**" / "delta")}, TASKS),
        ({"deltas": str(deltas / "rte" / "delta"), "targets": ["new"]}, ["delta"]),
    ):
        result = allennlp(
            "ensemble", config(similarity=None, weighting="uniform", **changes), "-s", tmp_path / "out", "--force"
        )
        assert result.status == 0, result.stderr
        assert SimilarityMatrix.load(tmp_path / "out" / "weights.npz").sources == names


def test_the_weights_as_a_picture(config: Any, allennlp: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert allennlp("ensemble", config(heat_map=True), "-s", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "weights.png").read_bytes().startswith(b"\x89PNG")
    assert all(f">{task}<" in (tmp_path / "out" / "weights.svg").read_text() for task in TASKS)


def test_one_part_of_many_weights_the_whole(config: Any, allennlp: Any, tmp_path: Path) -> None:
    matrix = SimilarityMatrix(TASKS, TASKS, np.stack([SCORES, -SCORES], 2), False, "block")
    matrix.save(tmp_path / "similarity.npz")
    path = config(part=1, weighting={"type": "top_k", "k": 1})
    assert allennlp("ensemble", path, "-s", tmp_path / "out").status == 0
    torch.testing.assert_close(load_file(tmp_path / "out" / "boolq" / WEIGHTS), lora_tensors(3))


@pytest.mark.parametrize(
    "changes, messages",
    [
        ({"deltas": "/nowhere/*/delta"}, ["deltas: no folder matches /nowhere/*/delta"]),
        ({"targets": []}, ["targets is empty"]),
        ({"targets": ["sst"]}, ["the target 'sst' has no scores", "boolq"]),
        ({"targets": ["../rte"], "similarity": None, "weighting": "uniform"}, ["'../rte' cannot be the name of a"]),
        ({"targets": ["rte", "rte"], "similarity": None, "weighting": "uniform"}, ["targets: 'rte' is there twice"]),
        ({"targets": ["weights.npz"], "similarity": None, "weighting": "uniform"}, ["targets: 'weights.npz'"]),
        ({"weighting": {"type": "softmax", "temperature": 0}}, ["temperature is 0"]),
        ({"weighting": {"type": "softmax", "temperature": -0.1}}, ["temperature is -0.1"]),
        ({"weighting": {"type": "top_k", "k": 4}}, ["top_k: k is 4; the target 'boolq' has 3 sources"]),
        ({"weighting": "softmox"}, ["softmox"]),
        ({"weighting": "learned"}, ["examples is missing: this weighting tries weights with a model"]),
        ({"similarity": None}, ["name a similarity matrix (`similarity`)"]),
        ({"similarity": "/nowhere/s.npz"}, ["/nowhere/s.npz: not a similarity matrix"]),
        ({"merger": "per_block"}, ["one for the whole model; use linear"]),
        ({"deltas": "runs/{target}/*", "similarity": None}, ["say which `targets` there are"]),
    ],
)
def test_a_wrong_setting(changes: Any, messages: Any, fails: Any) -> None:
    fails(*messages, **changes)


def test_missing_scores(fails: Any, tmp_path: Path) -> None:
    scores = SCORES.copy()
    scores[1, 2] = np.nan
    SimilarityMatrix(TASKS, TASKS, scores, False, "model").save(tmp_path / "similarity.npz")
    fails("the score of the source 'rte' for the target 'copa' is nan")
    SimilarityMatrix(TASKS, TASKS[:3], scores[:, :3], False, "model").save(tmp_path / "similarity.npz")
    fails("the source 'wic' has no scores")
    (tmp_path / "similarity.npz").write_bytes((tmp_path / "similarity.npz").read_bytes()[:300])
    fails("similarity.npz: not a similarity matrix")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"peft_type": "IA3", "r": None, "lora_alpha": None}, "`peft_type` is 'LORA' and 'IA3'"),
        ({"lora_alpha": 8}, "`scaling` is 2.0 and 4.0"),
        ({"base_model_name_or_path": "t5-other"}, "`base_model_name_or_path` is 't5-tiny' and 't5-other'"),
    ],
)
def test_deltas_that_are_not_alike(changes: Any, message: str, fails: Any, deltas: Path) -> None:
    write_delta_folder(deltas / "rte" / "delta", lora_tensors(2), **{**LORA, **changes})
    fails(f"{deltas}/boolq/delta and {deltas}/rte/delta do not go together: {message}")


def test_tensors_that_are_not_alike(fails: Any, deltas: Path) -> None:
    write_delta_folder(deltas / "rte" / "delta", lora_tensors(2, inner=7), **LORA)
    fails(f"{deltas}/rte/delta do not go together: the tensor ", "[2, 5] of F32 and [2, 7] of F32")


def test_damaged_deltas(fails: Any, deltas: Path) -> None:
    path = deltas / "rte" / "delta" / WEIGHTS
    whole = path.read_bytes()
    for content in (whole[:-4], whole[:100], whole.replace(b'"shape":[2,5]', b'"shape":[3,5]')):
        path.write_bytes(content)
        fails("rte/delta/adapter_model.safetensors: missing, truncated or not a safetensors file")
    torch.save(lora_tensors(2), path)
    fails("rte/delta/adapter_model.safetensors: is a pickle")
    path.rename(path.with_name("adapter_model.bin"))
    fails("rte/delta/adapter_model.bin: is a pickle, and adapter_model.safetensors is needed")
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    fails("rte/delta: not the folder of a delta")


def test_a_delta_that_changed_is_another_product(config: Any, allennlp: Any, deltas: Path, tmp_path: Path) -> None:
    assert allennlp("ensemble", config(), "-s", tmp_path / "out").status == 0
    save_file(lora_tensors(7), deltas / "rte" / "delta" / WEIGHTS)
    result = allennlp("ensemble", config(), "-s", tmp_path / "out")
    assert result.status == 1 and "was made from something else: inputs" in result.stderr
