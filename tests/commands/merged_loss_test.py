"""Weights that are learned on a target's few rows, by `allennlp ensemble`."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.data import DatasetReader
from peft import PromptTuningConfig, get_peft_model
from transformers import AutoModelForSeq2SeqLM

from attribution.commands.merged_loss import MergedLoss
from attribution.commands.target_examples import TargetExamples
from attribution.ensembling import DeltaFolder, LinearMerger
from attribution.modules.delta import Delta
from attribution.similarity import Loss, Source, TargetTask
from tests.commands.similarity_test import ANSWERS, LORA, PROMPTS, _tune
from tests.similarity.conftest import resident

# The planted one: its delta was tuned on the target's own rows.
PLANTED = "films"


@pytest.fixture(scope="module")
def sources(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """method -> the folder of three deltas."""
    built: Dict[str, Path] = {}

    def get(method: str) -> Path:
        if method not in built:
            built[method] = tmp_path_factory.mktemp(method)
            delta = LORA if method == "lora" else {"type": method}
            for name, word in ANSWERS.items():
                _tune(tiny_model("t5"), word, built[method] / name, "seq2seq", delta)
        return built[method]

    return get


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    """The target `new`, of other rows: its answers are those of the planted source."""
    (tmp_path / "gym" / "new").mkdir(parents=True)
    lines = [f"{prompt} ?\t{ANSWERS[PLANTED]}" for prompt in PROMPTS]
    (tmp_path / "gym" / "new" / "new_4_13_train.tsv").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "gym"


@pytest.fixture
def config(sources: Any, gym: Path, tiny_model: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    def make(method: str = "lora", **changes: Any) -> str:
        reader = {"type": "fewshot_gym", "model_name": tiny_model("t5"), "input_prefix": ""}
        settings = {
            "deltas": str(sources(method) / "*"),
            "weighting": {"type": "learned", "evaluations": 60},
            "examples": str(gym),
            "reader": reader,
            "model": {"type": "seq2seq", "model_name": tiny_model("t5")},
            **changes,
        }
        path = tmp_path / "ensemble.jsonnet"
        path.write_text(json.dumps({key: value for key, value in settings.items() if value is not None}))
        return str(path)

    return make


def _examples(base: str, gym: Path) -> TargetExamples:
    params = Params({"type": "fewshot_gym", "model_name": base, "input_prefix": ""})
    return TargetExamples(str(gym), Lazy(DatasetReader, params), batch_size=3)


def test_of_one_source_it_is_the_measure_loss(sources: Any, gym: Path, tiny_model: Callable[[str], str]) -> None:
    base, folders = tiny_model("t5"), [sources("lora") / name for name in ANSWERS]
    examples, model = _examples(base, gym), resident(tiny_model("t5"), folders[0])
    loss = MergedLoss(model, examples, [DeltaFolder(folder) for folder in folders], LinearMerger())
    task = TargetTask("new", examples.batches("new"))
    for number, folder in enumerate(folders):
        expected = Loss().compare(task, Source(folder.name, folder), model, None)["model"]
        assert loss("new", np.eye(3)[number]) == pytest.approx(expected, abs=1e-6)
    untuned = [
        torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        for logits, labels in _untuned(model, examples)
    ]
    assert loss("new", np.zeros(3)) == pytest.approx(torch.cat(untuned).mean().item(), abs=1e-5)


def test_prompts_of_which_half_is_read(gym: Path, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    """PEFT keeps six rows of three virtual tokens of an encoder-decoder."""
    base = tiny_model("t5")
    config = PromptTuningConfig(num_virtual_tokens=3, task_type="SEQ_2_SEQ_LM")
    for name in "ab":
        get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(base), config).save_pretrained(tmp_path / name)
    examples, model = _examples(base, gym), resident(base, tmp_path / "a")
    loss = MergedLoss(model, examples, [DeltaFolder(tmp_path / name) for name in "ab"], LinearMerger())
    task = TargetTask("new", examples.batches("new"))
    for number, name in enumerate("ab"):
        expected = Loss().compare(task, Source(name, tmp_path / name), model, None)["model"]
        assert loss("new", np.eye(2)[number]) == pytest.approx(expected, abs=1e-6)


@torch.no_grad()
def _untuned(model: Any, examples: TargetExamples) -> List[Any]:
    tensors = {name: torch.zeros_like(weight) for name, weight in model.tensors().items()}
    model.put_delta(Delta({"peft_type": "LORA", "r": 2}, tensors, None))
    return [(model.logits(batch), batch.labels) for batch in examples.batches("new")]


@pytest.mark.parametrize("method, merger", [("lora", "linear"), ("lora", "product_space"), ("ia3", "linear")])
def test_the_planted_source_gets_the_most(method: str, merger: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    path = config(method, merger=merger)
    for name in ("one", "other"):
        result = allennlp("ensemble", path, "-s", tmp_path / name)
        assert result.status == 0, result.stderr
    assert "1 deltas merged from 3" in result.stdout
    report = json.loads((tmp_path / "one" / "new" / "weights.json").read_text())
    assert max(report["weights"], key=report["weights"].get) == PLANTED
    assert report["weights"][PLANTED] > 0.3 and all(abs(weight) <= 1.5 for weight in report["weights"].values())
    for name in ("new/weights.json", "new/adapter_model.safetensors", "weights.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    inputs = json.loads((tmp_path / "one" / "manifest.json").read_text())["inputs"]
    assert any(file["path"].endswith("new_4_13_train.tsv") for file in inputs)


def test_a_target_does_not_learn_from_its_own_delta(config: Any, gym: Path, allennlp: Any, tmp_path: Path) -> None:
    (gym / "new").rename(gym / PLANTED)
    (gym / PLANTED / "new_4_13_train.tsv").rename(gym / PLANTED / f"{PLANTED}_4_13_train.tsv")
    result = allennlp("ensemble", config(), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    report = json.loads((tmp_path / "out" / PLANTED / "weights.json").read_text())
    assert sorted(report["weights"]) == sorted(set(ANSWERS) - {PLANTED})


def test_other_examples_are_another_product(config: Any, gym: Path, allennlp: Any, tmp_path: Path) -> None:
    path = config(weighting={"type": "learned", "evaluations": 5}, max_examples=2)
    assert allennlp("ensemble", path, "-s", tmp_path / "out").status == 0
    assert "finished already" in allennlp("ensemble", path, "-s", tmp_path / "out").stdout
    [file] = (gym / "new").iterdir()
    file.write_text("this ?\tred\n")
    result = allennlp("ensemble", path, "-s", tmp_path / "out")
    assert result.status == 1 and "was made from something else: inputs" in result.stderr


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": None}, "model is missing: this weighting tries weights with a model"),
        ({"reader": None}, "reader is missing"),
        ({"examples": None}, "examples is missing"),
        ({"examples": "/nowhere"}, "examples: /nowhere is no folder, and no file matches it"),
        ({"targets": ["rte"]}, "examples: the target 'rte' has none; ['new'] have some"),
        ({"merger": "ties"}, "ties: a mean needs weights that are not negative and sum to 1"),
        ({"weighting": {"type": "learned", "evaluations": 4}}, "3 sources need at least 5"),
        ({"max_examples": 0}, "max_examples 0; at least one example is needed"),
    ],
)
def test_mistakes(changes: Any, message: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("ensemble", config(**changes), "-s", tmp_path / "out")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()
