"""The sweeps of few-shot tuning: zero-shot, batch sizes, and one part of the model after the other."""

import csv
import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common import Params
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from attribution.similarity import SimilarityMatrix
from tests.models.conftest import make_model

CONFIGS = Path(__file__).parents[2] / "training_config" / "weight_ensembling"
TASKS = {"boolq": ["yes", "no"], "sciq": ["red", "blue"], "copa": ["one", "two"]}


@pytest.fixture
def runs(tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Random deltas, and a gym."""
    base = tiny_model("t5_sentinel")
    for number, (task, answers) in enumerate(TASKS.items()):
        (tmp_path / "gym" / task).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            lines = [f"the {word} film ?\t{answer}\n" for word in ("one", "two") for answer in answers]
            (tmp_path / "gym" / task / f"{task}_2_13_{split}.tsv").write_text("".join(lines))
        model = make_model(base, delta={"type": "lora", "r": 2, "alpha": 16})
        torch.manual_seed(number)
        with torch.no_grad():
            for weight in model.delta.tensors(model.transformer).values():
                weight.add_(torch.randn_like(weight))
        model.delta.save(model.transformer, tmp_path / "deltas" / task, base)
    for name, value in {
        "GYM": str(tmp_path / "gym"),
        "DELTAS": str(tmp_path / "deltas" / "*"),
        "MODEL_NAME": base,
        "DELTA": "lora",
        "SIZE": "2",
        "TASKS": " ".join(TASKS),
        "SHOT_SEEDS": "13",
        "METRIC": "exact_match",
        "VALIDATE_EVERY": "1",
        "CUDA_DEVICE": "-1",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def _written(base: str, delta: Path, text: str) -> str:
    """By PEFT and `transformers` alone."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(base), str(delta)).eval()
    ids = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
    output = model.generate(**ids, max_new_tokens=64, num_beams=1, do_sample=False, eos_token_id=2)
    return tokenizer.decode(output[0], skip_special_tokens=True).strip()


def _results(folder: Path) -> List[Dict[str, str]]:
    return list(csv.DictReader((folder / "results.csv").open()))


def test_zero_shot_of_a_merge_is_in_the_results(
    runs: Path, tiny_model: Any, monkeypatch: pytest.MonkeyPatch, allennlp: Any
) -> None:
    base = tiny_model("t5_sentinel")
    rates = {"RATES": "0.01 0.02", "BATCH_SIZE": "2 4"}  # Of which none makes a difference.
    for name, value in {"TASKS": "copa", "INITS": "uniform", "UPDATES": "0", **rates}.items():
        monkeypatch.setenv(name, value)
    test = runs / "gym" / "copa" / "copa_2_13_test.tsv"
    folder = runs / "zero"
    mean = {"deltas": str(runs / "deltas" / "*"), "weighting": {"type": "uniform"}, "targets": ["copa"]}
    (runs / "mean.json").write_text(json.dumps(mean))
    assert allennlp("ensemble", runs / "mean.json", "-s", runs / "mean").status == 0
    # Of the two test rows the first has what the model writes with the mean of the other deltas.
    written = _written(base, runs / "mean" / "copa", "[copa] the one film ?")
    assert written
    test.write_text(f"the one film ?\t{written}\nthe two film ?\tnever written\n")
    result = allennlp("sweep", CONFIGS / "few_shot.jsonnet", "-s", folder)
    assert result.status == 0, result.stderr
    [row] = _results(folder)
    assert (row["TASK"], row["INIT"], row["n"], float(row["test.exact_match_mean"])) == ("copa", "uniform", "1", 0.5)


def test_zero_shot_beside_what_is_tuned_and_batch_sizes_to_choose_from(
    runs: Path, monkeypatch: pytest.MonkeyPatch, allennlp: Any
) -> None:
    for name, value in {"TASKS": "boolq", "INITS": "uniform", "UPDATES": "0 1", "BATCH_SIZE": "2 4"}.items():
        monkeypatch.setenv(name, value)
    folder = runs / "both"
    result = allennlp("sweep", CONFIGS / "few_shot.jsonnet", "-s", folder)
    assert result.status == 0, result.stderr
    rows = {row["UPDATES"]: row for row in _results(folder)}
    assert list(rows) == ["0", "1"] and all(row["test.exact_match_mean"] for row in rows.values())
    assert rows["0"]["BATCH_SIZE"] == "" and rows["1"]["BATCH_SIZE"] in ("13=2", "13=4")
    for size in ("2", "4"):
        name = f"BATCH_SIZE={size},INIT=uniform,LEARNING_RATE=5e-4,SHOT_SEED=13,TASK=boolq,UPDATES=1"
        config = json.loads((folder / "tuned" / name / "config.json").read_text())
        assert config["data_loader"]["batch_size"] == int(size)
    result = allennlp("report", folder, "-s", runs / "page", "--rows", "TASK", "--columns", "UPDATES")
    assert result.status == 0, result.stderr


def test_each_part_weights_the_whole_delta(runs: Path, monkeypatch: pytest.MonkeyPatch, allennlp: Any) -> None:
    names = ["encoder.block.1.layer.0", "decoder.block.1.layer.1"]
    for name, value in {"PART": " ".join(names), "GRANULARITY": "layer", "UPDATES": "0", "TASKS": "copa"}.items():
        monkeypatch.setenv(name, value)
    folder = runs / "parts"
    result = allennlp("sweep", CONFIGS / "parts.jsonnet", "-s", folder)
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(folder / "similarity" / "all" / "similarity.npz")
    assert len(matrix.parts) == 6 and matrix.granularity == "layer"
    for name in names:
        report = json.loads((folder / "merged" / f"PART={name}" / "copa" / "weights.json").read_text())
        scores = matrix.scores[matrix.targets.index("copa"), :, list(matrix.parts).index(name)]
        powers = {source: np.exp(-score / 10) for source, score in zip(matrix.sources, scores) if source != "copa"}
        wanted = {source: power / sum(powers.values()) for source, power in powers.items()}
        assert report["weights"] == pytest.approx(wanted)
    places = {(row["TASK"], row["PART"]) for row in _results(folder) if row["test.exact_match_mean"]}
    assert places == {("copa", name) for name in names}


def test_grand_is_of_as_many_examples_as_published(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGETS", str(runs / "gym"))
    for measure, most in (("grand", 50), ("loss", None)):
        monkeypatch.setenv("MEASURE", measure)
        assert Params.from_file(CONFIGS / "similarity.jsonnet").get("max_examples") == most
    monkeypatch.setenv("MAX_EXAMPLES", "7")
    assert Params.from_file(CONFIGS / "similarity.jsonnet").get("max_examples") == 7


def test_all_parts_of_a_t5_base_by_default(runs: Path, monkeypatch: pytest.MonkeyPatch, allennlp: Any) -> None:
    for granularity, count in (("block", 24), ("layer", 60)):
        monkeypatch.setenv("GRANULARITY", granularity)
        names = Params.from_file(CONFIGS / "parts.jsonnet").as_dict()["axes"]["PART"]
        assert len(set(names)) == count
    monkeypatch.setenv("GRANULARITY", "head")
    result = allennlp("sweep", CONFIGS / "parts.jsonnet", "-s", runs / "parts")
    assert result.status == 1 and "GRANULARITY is head; block and layer are possible" in result.stderr
