"""A user's mistakes, through the command line: one clear message, exit status 1, no traceback, nothing half-written."""

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import ROWS, build_model

OPTION = {"target": "yes", "answer_choices": ["yes", "no"]}


def _fails(result: Any, *messages: str) -> None:
    assert result.status == 1, result.stderr
    assert "Traceback" not in result.stderr
    *_, last = result.stderr.rsplit("error: ", 1)
    for message in messages:
        assert message in last, last


@pytest.fixture
def fails_to_train(train_config: Any, allennlp: Any, tmp_path: Path) -> Callable[..., None]:
    def check(changes: Dict[str, Any], *messages: str, model: str = "t5") -> None:
        folder = tmp_path / "run"
        _fails(allennlp("train", train_config(changes, model), "-s", folder), *messages)
        assert not folder.exists()

    return check


@pytest.mark.parametrize(
    "changes, messages",
    [
        ({"model.type": "seq2sec"}, ["seq2sec", "model.type", "seq2seq"]),
        ({"dataset_reader.type": "p4"}, ["p4", "dataset_reader.type"]),
        ({"dataset_reader.max_length": 3}, ["max_length"]),
        ({"model.gradient_checkpointing": "yes"}, ['"model.gradient_checkpointing" is "yes"; true or false is']),
        ({"model.delta": {"type": "lara"}}, ["lara"]),
        ({"model.delta": {"type": "lora", "weights": "/nowhere"}}, ["/nowhere: has no adapter_config.json"]),
        ({"model.delta": {"type": "lora", "target_modules": ["nothing"]}}, ["lora: ", "nothing"]),
        ({"model.delta": {"type": "houlsby", "target_modules": ["nothing"]}}, ["houlsby: there is no layer called no"]),
        ({"model.delta": {"type": "houlsby", "colour": "red"}}, ["colour"]),
        (
            {"model.delta": {"type": "houlsby", "size": "two"}},
            ['"model.delta.size" is "two"; a whole number'],
        ),
        ({"model.delta": {"type": "bias"}}, ["bias: a T5ForConditionalGeneration has no bias"]),
        ({"model.delta": {"type": "prompt", "num_virtual_tokens": 0}}, ["prompt: num_virtual_tokens is 0"]),
        ({"train_data_path": "/nowhere/rows.jsonl"}, ["/nowhere/rows.jsonl: no such file"]),
        ({"model.model_name": "/nowhere/model"}, ["/nowhere/model"]),
        ({"model.weights_file": "/nowhere/weights.th"}, ["weights_file /nowhere/weights.th: no such file"]),
        ({"trainer.cuda_device": 99}, ["cuda_device is 99: there is no such GPU"]),
        ({"trainer.cuda_device": "cuda:99"}, ["cuda_device is cuda:99: there is no such GPU"]),
        ({"trainer.cuda_device": [0, 1]}, ["cuda_device is [0, 1]; a GPU's number is needed"]),
        ({"trainer.no_grad": ["^transformr"]}, ["trainer.no_grad: '^transformr' fits no parameter of the model"]),
        ({"trainer.num_epochs": True}, ['"trainer.num_epochs" is true; a whole number is needed']),
        (
            {"trainer.optimizer": {"type": "adam", "parameter_groups": [[["shared"], {"weight_decoy": 0.1}]]}},
            ['"trainer.optimizer.parameter_groups.0.1.weight_decoy" is no setting of Adam', '"weight_decay"?'],
        ),
        ({"trainer.num_epoch": 1}, ['"trainer.num_epoch" is no setting', 'did you mean "num_epochs"?']),
        ({"evaluation": {"nonsense": 1}}, ['"evaluation.nonsense" is no setting of SimpleEvaluator']),
        ({"distributed": {"cuda_device": [0, 1]}}, ['"distributed.cuda_device" is no', 'did you mean "cuda_devices"?']),
        ({"trainer.callbacks": ["wandb"]}, ["callback wandb: needs wandb; install the extra `wandb`"]),
        ({"model.generation": {"num_beems": 4}}, ["generate has no setting 'num_beems'; did you mean \"num_beams\"?"]),
        ({"model.generation": {"max_new_tokens": -1}}, ["generation: {'max_new_tokens': -1} is refused"]),
        ({"model.generation": {"max_new_tokens": "many"}}, ["generation: {'max_new_tokens': 'many'} is refused"]),
        ({"model.metrics": {"a": "exact_match"}}, ['"model.metrics" is {"a": "exact_match"}; a list is needed']),
        ({"validation_data_path": True}, ["True is no path of a file of rows"]),
        ({"model.metrics": 3}, ['"model.metrics" is 3; a list is needed']),
        ({"model.metrics": ["exact_mach"]}, ['"model.metrics.0.type" is "exact_mach"', 'did you mean "exact_match"?']),
        ({"model.metrics": ["matthews", "covariance"]}, ["metrics: Covariance is not a metric of texts"]),
        ({"model.label_smoothing": 2}, ["label_smoothing is 2"]),
        ({"model.relevant_label_index": -2}, ["relevant_label_index -2"]),
        ({"dataset_reader.max_query_length": 0}, ["max_query_length is 0"]),
        ({"trainer.optimizer": {"type": "sgd", "lr": 1e18}}, ["the loss is not a number any more"]),
        ({"data_loader": {"batch_size": 0}}, ['"data_loader.batch_size" is 0; 1 or more is needed']),
        ({"trainer.optimizer": {"type": "huggingface_adamw", "correct_bias": False}}, ["always corrects the bias"]),
    ],
)
def test_a_wrong_setting(changes: Any, messages: Any, fails_to_train: Any) -> None:
    fails_to_train(changes, *messages)


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "the file is empty"),
        ('{"input": "a", "target": "yes"}\n{"input": \n', "data.jsonl:2: not valid JSON"),
        ('{"target": "yes"}\n', "no usable row"),
        ("[1]\n", "data.jsonl: row 1: a row must be a JSON object"),
    ],
)
@pytest.mark.parametrize("lazy", [{}, {"max_instances_in_memory": 8}, {"max_instances_in_memory": 8, "num_workers": 1}])
def test_a_bad_file(content: str, message: str, lazy: Any, fails_to_train: Any, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text(content)
    loader = {"batch_size": 4, **lazy}
    if "num_workers" in lazy and message == "no usable row":
        pytest.skip("a worker of several does not know that no other found a row")
    fails_to_train({"train_data_path": str(tmp_path / "data.jsonl"), "data_loader": loader}, message)


@pytest.mark.parametrize(
    "settings, row, message",
    [
        ({"options": ["yes", "no"]}, {"text": "a", "label": "maybe"}, "the target is none of the options: 'maybe'"),
        (
            {"options": "choices"},
            {"text": "a", "choices": [], "label": 0},
            "`options` names the field 'choices', which is no list of texts",
        ),
        ({"options": []}, {"text": "a", "label": 0}, "`options` is empty"),
        ({"options": ["yes", "no " * 9], "max_answer_length": 4}, {"text": "a", "label": 0}, "max_answer_length"),
        ({"options": ["yes"]}, {"label": 0}, "raw.jsonl:1: no field 'text', which `template` uses"),
    ],
)
def test_a_row_that_the_template_does_not_fit(
    settings: Any, row: Any, message: str, fails_to_train: Any, write_jsonl: Any, tiny_model: Any
) -> None:
    reader = {"type": "prompted_reader", "model_name": tiny_model("t5"), "template": "{{text}} ?", **settings}
    data = {"train_data_path": write_jsonl("raw.jsonl", [row]), "validation_data_path": None}
    fails_to_train({"dataset_reader": reader, **data}, message)


def test_a_prompt_that_the_model_has_no_positions_for(fails_to_train: Any, write_jsonl: Any) -> None:
    rows = write_jsonl("long.jsonl", [{**OPTION, "input": "good " * 80}])
    for model in ("bart", "gpt2"):
        fails_to_train({"train_data_path": rows}, "has 64 positions", "Lower max_query_length", model=model)


def test_damaged_weights_in_a_model_folder(fails_to_train: Any, tmp_path: Path) -> None:
    folder = build_model("t5", tmp_path / "t5")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    fails_to_train({"model.model_name": str(folder)}, "t5: cannot be loaded as a t5 model")


def test_weights_without_names(fails_to_train: Any, tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "list.th")
    fails_to_train({"model.weights_file": str(tmp_path / "list.th")}, "list.th: not a state dict of tensors by name")


def test_predictions_in_batches_of_none(allennlp: Any) -> None:
    _fails(allennlp("predict", "m.tar.gz", "rows.jsonl", "--batch-size", "0"), "--batch-size is 0; 1 or more is needed")


def test_predictions_appear_whole_or_not_at_all(archive: Any, allennlp: Any, tmp_path: Path) -> None:
    archive, _ = archive
    good, output = json.dumps(ROWS[0]), tmp_path / "predictions.jsonl"
    for name, content, message in (
        ("a.jsonl", f"{good}\n{{", "a.jsonl:2: not valid JSON"),
        ("b.jsonl", f"{good}\n[1]\n", "b.jsonl:2: not a JSON object, but list"),
        ("c.jsonl", "", "c.jsonl: has no lines"),
        ("d.jsonl", f'{good}\n{{"input": "good"}}\n', "d.jsonl:2: there is nothing to choose from in this row"),
        ("g.jsonl", f'{good}\n{{"text": "good"}}\n', "g.jsonl:2: no text under `input`"),
        ("h.jsonl", f"{good}\n{'[' * 100_000}\n", "h.jsonl:2: not valid JSON"),
        ("i.jsonl", f"{good}\nb\xe4d\n", "i.jsonl: not UTF-8 text"),
        ("k.jsonl.bz2", "no bz2", "k.jsonl.bz2: cut short or damaged after line 0"),
        ("j.jsonl", "\n \n", "j.jsonl: has no lines"),
    ):
        (tmp_path / name).write_text(content, encoding="latin-1")
        _fails(allennlp("predict", archive, tmp_path / name, "--output-file", output, "--silent"), message)
        assert not list(tmp_path.glob("predictions*"))
    cut = gzip.compress(f"{good}\n".encode() * 3000)
    (tmp_path / "e.jsonl.gz").write_bytes(cut[: len(cut) // 2])
    _fails(
        allennlp("predict", archive, tmp_path / "e.jsonl.gz", "--output-file", output, "--silent"), "e.jsonl.gz: cut"
    )
    (tmp_path / "f.jsonl").write_text(f"\ufeff{good}\n\n{good}\n", encoding="utf-8")
    assert allennlp("predict", archive, tmp_path / "f.jsonl", "--output-file", output, "--silent").status == 0
    assert output.read_text().count("\n") == 2


def test_a_missing_environment_variable_is_named(allennlp: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.jsonnet"
    config.write_text("{ train_data_path: std.extVar('SURELY_NOT_SET') }")
    result = allennlp("train", config, "-s", tmp_path / "run")
    _fails(result, "config.jsonnet", "SURELY_NOT_SET", "not set and has no default", "export SURELY_NOT_SET=")
    assert not (tmp_path / "run").exists()


def test_a_syntax_error_names_its_place(allennlp: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.jsonnet"
    config.write_text("{\n  model: ,\n}")
    _fails(allennlp("train", config, "-s", tmp_path / "run"), "config.jsonnet:2:")
    _fails(allennlp("train", tmp_path / "nowhere.jsonnet", "-s", tmp_path / "run"), "nowhere.jsonnet")


def test_a_model_folder_without_a_tokenizer(fails_to_train: Any, tmp_path: Path) -> None:
    folder = build_model("t5", tmp_path / "model")
    for path in folder.glob("*token*"):
        path.unlink()
    fails_to_train({"dataset_reader.model_name": str(folder)}, str(folder), "there is no tokenizer in it")


def test_the_wrong_family(fails_to_train: Any, tiny_model: Any) -> None:
    fails_to_train({"model.model_name": tiny_model("llama")}, "a llama model is decoder-only", "'causal_lm'")
    fails_to_train({"model.model_name": tiny_model("bart")}, "an encoder-decoder", "'seq2seq'", model="llama")


class Harmful:
    def __reduce__(self) -> Any:
        return (os.system, ("touch executed",))


def test_weights_of_another_shape_and_a_pickle(fails_to_train: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.th"
    torch.save({"transformer.shared.weight": torch.zeros(2, 2)}, path)
    fails_to_train({"model.weights_file": str(path)}, "have another shape", "(2, 2) instead of (128, 16)")
    torch.save({"transformer.shared.weight": Harmful()}, path)
    fails_to_train({"model.weights_file": str(path)}, str(path), "could execute code")
    assert not (tmp_path / "executed").exists()
    save_file({"shared.weight": torch.zeros(2, 2)}, tmp_path / "weights.safetensors")
    fails_to_train({"model.weights_file": str(tmp_path / "weights.safetensors")}, "have another shape")


@pytest.fixture
def archive(train_config: Any, allennlp: Any, tmp_path: Path) -> Tuple[Path, str]:
    """A trained archive and rows to evaluate it on."""
    config = train_config({"trainer.num_epochs": 1})
    assert allennlp("train", config, "-s", tmp_path / "good").status == 0
    return tmp_path / "good" / "model.tar.gz", json.loads(Path(config).read_text())["train_data_path"]


def test_a_truncated_archive_and_one_that_would_write_elsewhere(archive: Any, allennlp: Any, tmp_path: Path) -> None:
    path, rows = archive
    truncated = tmp_path / "truncated.tar.gz"
    truncated.write_bytes(path.read_bytes()[:3000])
    _fails(allennlp("evaluate", truncated, rows), str(truncated), "truncated, or not a tar.gz archive")
    truncated.write_text("no archive")
    _fails(allennlp("evaluate", truncated, rows), str(truncated), "not a tar.gz archive")
    escaping = tmp_path / "escaping.tar.gz"
    with tarfile.open(escaping, "w:gz") as tar:
        member = tarfile.TarInfo("../outside")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    _fails(allennlp("evaluate", escaping, rows), str(escaping), "would write outside its folder")
    _fails(allennlp("evaluate", tmp_path / "nowhere.tar.gz", rows), "nowhere.tar.gz")


def test_an_override_without_a_name(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    for name in ("", "trainer.", ".model"):
        result = allennlp("train", train_config(), "-s", tmp_path / "run", "-o", json.dumps({name: 1}))
        _fails(result, f"-o: {name!r} names no setting")


@pytest.mark.parametrize("missing", ["weights.th", "config.json"])
def test_an_incomplete_archive(missing: str, archive: Any, allennlp: Any, tmp_path: Path) -> None:
    path, rows = archive
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "inside", filter="data")
    (tmp_path / "inside" / missing).unlink()
    incomplete = shutil.make_archive(str(tmp_path / "incomplete"), "gztar", tmp_path / "inside")
    _fails(allennlp("evaluate", incomplete, rows), f"{incomplete}: no archive of a model, there is no ")


def test_an_archive_with_a_pickle_inside(archive: Any, allennlp: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path, rows = archive
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "inside", filter="data")
    torch.save({"transformer.shared.weight": Harmful()}, tmp_path / "inside" / "weights.th")
    shutil.make_archive(str(tmp_path / "harmful"), "gztar", tmp_path / "inside")
    _fails(allennlp("evaluate", tmp_path / "harmful.tar.gz", rows), "weights.th", "could execute code")
    assert not (tmp_path / "executed").exists()


def test_recovering_from_a_damaged_checkpoint(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    config, folder = train_config(), tmp_path / "run"
    assert allennlp("train", config, "-s", folder).status == 0
    state = max(folder.glob("training_state_*.th"))
    state.write_bytes(state.read_bytes()[:500])
    _fails(allennlp("train", config, "-s", folder, "--recover"), str(state), "truncated")
    assert (folder / "best.th").exists()


def test_an_unknown_package(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    arguments = ["train", train_config(), "-s", tmp_path / "run", "--include-package", "atribution"]
    _fails(allennlp(*arguments), "atribution")


def test_the_traceback_is_there_on_request(
    train_config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLENNLP_DEBUG", "1")
    with pytest.raises(Exception, match="none of mean, sum"):
        allennlp("train", train_config({"model.loss": "median"}), "-s", tmp_path / "run")


def test_control_c_of_the_real_program(train_config: Any, tmp_path: Path) -> None:
    """A process of its own, stopped from outside in the middle of an epoch, and continued."""
    rows = tmp_path / "many.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS * 40))
    config = train_config({"train_data_path": str(rows), "trainer.num_epochs": 2})
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "allennlp", "train", config, "-s", str(folder), "--include-package", "attribution"]
    told = {**os.environ, "ALLENNLP_LOG_LEVEL": "INFO"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=told) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "gradient_descent_trainer - Training" in line:
                time.sleep(0.5)
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait() == 130, rest
    assert "go on with --recover" in rest and "Traceback" not in rest
    assert list(folder.glob("model_state_e0_b*.th"))
