"""What the port adds to AllenNLP, and AllenNLP's own parts that it mends."""

import errno
import logging
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tarfile
from pathlib import Path
from typing import Any, List

import numpy
import pytest
import torch
import tqdm
from allennlp.common import Params, Tqdm, port
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import TensorCache
from allennlp.common.meta import Meta
from allennlp.common.params import parse_overrides
from allennlp.common.port import (
    NATIVE_CALLBACKS,
    LazyModule,
    check_paths,
    check_writable,
    device_number,
    extract_tar,
    link_or_copy,
    load_tensors,
    log_level,
    naming_a_full_disk,
    run,
    save_tensors,
    uninterrupted,
    users_mistake,
    writing_beside,
    writing_tar,
)
from allennlp.data import Vocabulary
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


def test_tensors_are_the_same_bytes_under_each_name(tmp_path: Path) -> None:
    names = ("best.th", "model_state_e1_b0.th")
    for name in names:
        save_tensors({"weight": torch.ones(3)}, tmp_path / name)
    one, other = (tmp_path / name for name in names)
    assert one.read_bytes() == other.read_bytes()
    link_or_copy(one, tmp_path / "linked.th.part")  # Of one that was killed before it renamed it.
    save_tensors({"weight": torch.zeros(3)}, tmp_path / "linked.th")
    assert one.read_bytes() == other.read_bytes() != (tmp_path / "linked.th").read_bytes()


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


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(RuntimeError), writing_beside(file) as beside:
        Path(beside).write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "old"
    with pytest.raises(Exception), writing_beside(file) as beside:  # noqa: B017
        torch.save(lambda: None, beside)
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "old"
    with writing_beside(file) as beside:
        Path(beside).write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "new"


def _enospc(text: str = "No space left on device") -> OSError:
    return OSError(errno.ENOSPC, text)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").mkdir()
    with pytest.raises(ConfigurationError, match=r"runs.csv: a file is written here, .* move that away"):
        with writing_beside(tmp_path / "runs.csv"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_an_archive_whose_configuration_is_nested_deep(tmp_path: Path) -> None:
    (tmp_path / "best.th").touch()
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(ConfigurationError, match="model.tar.gz: config.json: nested too deep"):
        port.check_archive("model.tar.gz", tmp_path / "best.th")


def test_a_full_disk_in_the_words_of_each_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: List[Exception] = [
        _enospc(),
        _enospc("Error writing bytes to file. Detail: [errno 28] No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        sqlite3.OperationalError("database or disk is full"),
        OSError("100000 requested and 25568 written"),
        RuntimeError("Error: 'ret == (size * 4)' failed: write error in /a: 102355 != 800000 (Success)"),
    ]
    monkeypatch.setattr(port, "_LITTLE", 1 << 62)
    for error in words:
        with pytest.raises(OSError) as raised, naming_a_full_disk(tmp_path / "run"):
            raise error
        assert raised.value.errno == errno.ENOSPC
        assert str(users_mistake(raised.value)).startswith(f"{tmp_path}/run: the disk is full ("), error
    monkeypatch.setattr(port, "_LITTLE", 0)  # A disk with room: something else was wrong.
    for error in words[4:]:
        with pytest.raises(type(error), match=re.escape(str(error))), naming_a_full_disk(tmp_path):
            raise error


def test_a_full_disk_that_nobody_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["allennlp", "train", "x", "-s", f"{tmp_path}/new/run"])
    monkeypatch.setattr(port, "_LITTLE", 0)
    assert users_mistake(_enospc()) == "a disk is full (No space left on device)"
    monkeypatch.setattr(port, "_LITTLE", 1 << 62)
    assert str(tmp_path) in str(users_mistake(_enospc()))
    try:
        try:
            raise _enospc()
        finally:
            raise AttributeError("of what was to clean up")
    except AttributeError as error:
        assert "the disk is full" in str(users_mistake(error))
    assert users_mistake(AttributeError("of its own")) is None


def test_a_full_disk_that_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written in passing, to a disk of its own, names no file either."""
    usage = shutil.disk_usage(tmp_path)
    full = {str(tmp_path / "temporary")}
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=0 if folder in full else 1 << 30))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr("sys.argv", ["allennlp", "rerank", "x", "-s", f"{tmp_path}/run"])
    for name in ("temporary", "run"):
        (tmp_path / name).mkdir()
    for named in ("temporary", "run"):
        full.add(str(tmp_path / named))
        with pytest.raises(OSError) as raised, naming_a_full_disk(tmp_path / "run"):
            raise _enospc()
        assert users_mistake(raised.value) == f"{tmp_path}/{named}: the disk is full (No space left on device)"


def test_an_archive_that_finds_no_room_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing_tar(tmp_path / "model.tar.gz") as tar:
        tar.add(__file__, "file")

    def full(*_: Any, **__: Any) -> None:
        raise _enospc()

    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    with pytest.raises(OSError) as raised:
        extract_tar(tmp_path / "model.tar.gz", tmp_path / "out")
    assert users_mistake(raised.value) == f"{tmp_path}/out: the disk is full (No space left on device)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_jsonnet_reads(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Came(Exception):
        pass

    def come(*_: Any) -> None:
        raise Came

    reading: List[str] = []

    def environment(name: str, default: str) -> str:
        reading.append(name)
        os.kill(os.getpid(), number)
        return default

    monkeypatch.setitem(NATIVE_CALLBACKS, "env", (("n", "d"), environment))
    config = tmp_path / "c.jsonnet"
    config.write_text("std.native('env')('A', 'x') + std.native('env')('B', 'y')")
    before = signal.signal(number, come)
    try:
        with pytest.raises(Came):
            Params.from_file(config)
        assert signal.getsignal(number) is come
    finally:
        signal.signal(number, before)
    assert reading == ["A", "B"]
    assert uninterrupted(len)([1]) == 1


def test_a_message_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        handlers[0].setStream(sys.stderr)
        for _ in zip(Tqdm.tqdm(range(9)), tqdm.tqdm(range(9), mininterval=0)):
            logging.getLogger("some").warning("look")
            raise ConfigurationError("no")

    handlers = [logging.StreamHandler(sys.stderr)]
    before = logging.root.handlers[:]
    logging.root.handlers[:] = handlers
    try:
        with pytest.raises(SystemExit):
            run(work)
    finally:
        logging.root.handlers[:] = before
    shown = capsys.readouterr().err
    assert "it/s]" in shown and "\nlook\n" in shown and "\nerror: no\n" in shown


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
    check_writable((None, "", f"{tmp_path}/one,{tmp_path}/two"), [])
    for wrong in (f"{tmp_path}/one,{tmp_path}/nowhere/two", f"{tmp_path}/file/two"):
        with pytest.raises(ConfigurationError, match="two: cannot be written, .* is no folder to write in"):
            check_writable([wrong], [])
    with pytest.raises(ConfigurationError, match="cannot be written, it is a folder"):
        check_writable([str(tmp_path)], [])
    with pytest.raises(ConfigurationError, match="one: two outputs have this name"):
        check_writable((f"{tmp_path}/one", f"{tmp_path}/two,{tmp_path}/./one"), [])


def test_an_output_that_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in ("rows.jsonl", "model/config.json", "model/weights.th"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("rows.jsonl")
    inputs = (str(tmp_path / "model"), f"{tmp_path}/more.jsonl,{tmp_path}/rows.jsonl", None)
    check_writable([f"{tmp_path}/model/metrics_of_test.txt"], inputs)
    for name in ("rows.jsonl", "link", "model/config.json", "model/weights.th"):
        with pytest.raises(ConfigurationError, match=f"{name}: cannot be written, it is read"):
            check_writable([str(tmp_path / name)], inputs)
    with pytest.raises(ConfigurationError, match="rows.preds: has the name of an output"):
        check_paths(["rows.preds"])


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


@pytest.mark.parametrize("content", ["", "3", "{}", '{"version": 2}', '{"version": "2.10"}', "[" * 100_000])
def test_a_damaged_note_of_the_version(content: str, tmp_path: Path) -> None:
    Meta.new().to_file(tmp_path / "meta.json")
    assert Meta.from_path(tmp_path / "meta.json") == Meta.new()
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(ConfigurationError, match="meta.json: damaged .* the version that wrote the model"):
        Meta.from_path(tmp_path / "meta.json")


@pytest.mark.parametrize(
    "name, content", [("non_padded_namespaces.txt", b"\xff"), ("tokens.txt", b"\xff"), ("tokens.txt", b"a")]
)
def test_a_damaged_vocabulary(name: str, content: bytes, tmp_path: Path) -> None:
    Vocabulary(tokens_to_add={"tokens": ["a"]}).save_to_files(str(tmp_path))
    assert Vocabulary.from_files(str(tmp_path)).get_vocab_size() == 3
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: a damaged vocabulary"):
        Vocabulary.from_files(str(tmp_path))


def test_a_vocabulary_is_the_same_bytes_in_each_process(tmp_path: Path) -> None:
    """The order of a set depends on the process."""
    names = ["*tags", "*labels", *(f"*{number}" for number in range(20))]
    Vocabulary(non_padded_namespaces=names).save_to_files(str(tmp_path))
    assert (tmp_path / "non_padded_namespaces.txt").read_text().splitlines() == sorted(names)
