"""What the port adds to AllenNLP, and AllenNLP's own parts that it mends."""

import logging
import random
import tarfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import TensorCache
from allennlp.common.params import parse_overrides
from allennlp.common.port import (
    LazyModule,
    check_writable,
    device_number,
    extract_tar,
    load_tensors,
    log_level,
    run,
    save_tensors,
    users_mistake,
    writing_tar,
)
from allennlp.data.tokenizers import PretrainedTransformerTokenizer
from allennlp.nn.initializers import PretrainedModelInitializer
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.continuation import RandomState
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.optimizers import Optimizer


def test_environment_variables_with_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.jsonnet"
    config.write_text("local env = std.native('env'); { a: env('TESTS_SET', 'x'), b: env('TESTS_NOT_SET', 'y') }")
    monkeypatch.setenv("TESTS_SET", "value")
    assert Params.from_file(config).as_dict() == {"a": "value", "b": "y"}


def test_random_states_come_back_from_a_file(tmp_path: Path) -> None:
    save_tensors({"state": RandomState.get()}, tmp_path / "state.th")

    def draw() -> Any:
        return random.random(), numpy.random.random(), torch.rand(1).item(), random.gauss(0, 1)

    first = draw()
    RandomState.set(load_tensors(tmp_path / "state.th")["state"])
    assert draw() == first


def test_files_appear_whole(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), writing_tar(tmp_path / "model.tar.gz") as tar:
        assert isinstance(tar, tarfile.TarFile)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_removing_a_checkpoint_leaves_the_others(tmp_path: Path) -> None:
    names = ["model_state_e0_b1.th", "training_state_e0_b1.th", "model_state_e0_b10.th", "model_state_e0_b1_w0.th"]
    for name in names:
        (tmp_path / name).touch()
    Checkpointer(str(tmp_path))._remove_checkpoint(0, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["model_state_e0_b10.th"]


def test_tensor_cache(tmp_path: Path) -> None:
    cache = TensorCache(tmp_path / "cache")
    cache["a"] = torch.arange(6).view(2, 3)[:, :2]
    del cache
    assert torch.equal(TensorCache(tmp_path / "cache")["a"], torch.tensor([[0, 1], [3, 4]]))


def test_pretrained_initializer_reads_tensors_only(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.th")
    parameter = torch.zeros(2)
    PretrainedModelInitializer(str(tmp_path / "weights.th"))(parameter, parameter_name="weight")
    assert parameter.tolist() == [1, 1]


def test_transformer_tokenizer(tiny_model: Any) -> None:
    tokenizer = PretrainedTransformerTokenizer(tiny_model("bert"), verification_tokens=("cat", "dog"), max_length=4)
    assert [token.text for token in tokenizer.tokenize("the cat sat on")] == ["<s>", "the", "cat", "</s>"]
    tokens, offsets = tokenizer.intra_word_tokenize(["cat", "dog"])
    assert [token.text for token in tokens] == ["<s>", "cat", "dog", "</s>"]
    assert offsets == [(1, 1), (2, 2)]


def test_optimizers_and_plateau() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    for name, settings in (
        ("huggingface_adamw", {}),
        ("huggingface_adafactor", {"relative_step": False}),
        ("adam", {}),
    ):
        params = Params({"type": name, "lr": 0.1, **settings})
        optimizer = Optimizer.from_params(params, model_parameters=[("w", weight)])
        weight.grad = torch.ones(1)
        before = weight.item()
        optimizer.step()
        assert weight.item() < before, name
    scheduler = LearningRateScheduler.from_params(
        Params({"type": "reduce_on_plateau", "patience": 0, "factor": 0.5}), optimizer=optimizer
    )
    for _ in range(3):
        scheduler.step(1.0)
    assert optimizer.param_groups[0]["lr"] < 0.1


def test_what_is_missing_says_so() -> None:
    with pytest.raises(ConfigurationError, match="this needs surely_not_there"):
        _ = LazyModule("surely_not_there").anything


def test_a_key_that_a_configuration_lacks() -> None:
    with pytest.raises(KeyError) as raised:
        Params({})["type"]
    assert "the configuration lacks the key 'type'" in str(users_mistake(raised.value))


def test_a_bug_keeps_its_traceback() -> None:
    assert users_mistake(KeyError("x")) is None
    assert users_mistake(ValueError("x")) is None
    assert users_mistake(ConfigurationError("say this")) == "say this"


@pytest.mark.parametrize("setting", [-1, "-1", "cpu", torch.device("cpu")])
def test_the_processor(setting: Any) -> None:
    assert device_number(setting) == -1


@pytest.mark.parametrize("setting", [1, "1", "cuda:1", torch.device("cuda:1")])
def test_a_gpu_by_each_of_its_names(setting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_number(setting) == 1 and device_number(None) == device_number("cuda") == 0
    with pytest.raises(ConfigurationError, match="cuda_device is 2: there is no such GPU, the last one here is 1"):
        device_number(2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert device_number(None) == -1
    with pytest.raises(ConfigurationError, match="there is no such GPU, this machine has none"):
        device_number(setting)


@pytest.mark.parametrize("setting", [True, [0, 1], "gpu", "cuda:one"])
def test_what_names_no_gpu(setting: Any) -> None:
    with pytest.raises(ConfigurationError, match="a GPU's number is needed"):
        device_number(setting)


def test_what_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLENNLP_LOG_LEVEL", raising=False)
    assert log_level() == logging.WARNING
    monkeypatch.setenv("ALLENNLP_LOG_LEVEL", "info")
    assert log_level() == logging.INFO
    monkeypatch.setenv("ALLENNLP_LOG_LEVEL", "INF")
    with pytest.raises(ConfigurationError, match="ALLENNLP_LOG_LEVEL is 'INF'; did you mean \"INFO\""):
        log_level()


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_writable(None, "", f"{tmp_path}/one,{tmp_path}/two")
    for wrong in (f"{tmp_path}/one,{tmp_path}/nowhere/two", f"{tmp_path}/file/two"):
        with pytest.raises(ConfigurationError, match="two: cannot be written, .* is no folder to write in"):
            check_writable(wrong)


def test_errors_of_the_system_and_of_packages(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised:
        (tmp_path / "nowhere" / "file").touch()
    assert users_mistake(raised.value) == f"{tmp_path}/nowhere/file: No such file or directory"
    with pytest.raises(ModuleNotFoundError) as missing:
        exec("import surely_not_there")
    assert users_mistake(missing.value) == "this needs the package surely_not_there, which is not installed"


def test_what_jsonnet_cannot_read_is_shown_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(lambda: parse_overrides("trainer.num_epochs=1"))
    assert '-o \'{"trainer.num_epochs": 1' in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(40))
def test_an_archive_with_a_changed_byte_is_named(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    for name in ("config.json", "weights.th", "vocabulary"):
        (tmp_path / name).write_bytes(draw.randbytes(700))
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("config.json", "weights.th", "vocabulary"):
            tar.add(tmp_path / name, arcname=name)
    content = bytearray(archive.read_bytes())
    place = draw.randrange(10, len(content))  # Before it is what nobody reads: the time, say.
    content[place] ^= draw.randrange(1, 256)
    archive.write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigurationError, match=f"{archive}: "):
        extract_tar(archive, tmp_path / "out")
