import shutil
import socket
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, RobertaConfig

from attribution.common import pretrained
from attribution.common.pretrained import (
    check_there,
    is_head,
    is_pooler,
    learned_positions,
    load_pretrained,
    model_identity,
)
from attribution.data.prompt_tokenizer import load_tokenizer
from tests.architectures import tiny_config
from tests.encoders.architectures import OF_TYPE, text_types


def test_a_folder_is_its_files(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model("bert"), tmp_path / "elsewhere"))
    identity = model_identity(tiny_model("bert"))
    assert model_identity(str(folder)) == identity != model_identity(tiny_model("t5"))
    (folder / "README.md").write_text("a card")
    assert model_identity(str(folder)) == identity
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert model_identity(str(folder)) != identity


def test_no_such_model() -> None:
    with pytest.raises(ConfigurationError, match="model_name /nowhere/at/all: no such folder"):
        model_identity("/nowhere/at/all")


@pytest.mark.parametrize("name", ["models/t5", "./t5", "models/t5/", "a/b/c", "a b"])
def test_a_name_that_looks_like_a_path_is_not_looked_for_on_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(socket, "getaddrinfo", _not_asked)
    for look in (check_there, load_tokenizer, lambda name: load_pretrained(AutoModel, name)):
        with pytest.raises(ConfigurationError, match=f"model_name {name}: no such folder$"):
            look(name)


def _not_asked(*_: Any) -> None:
    raise AssertionError("the hub was looked for")


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(pretrained, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(ConfigurationError, match="some/model: no such folder, and the hub cannot be reached"):
        check_there("some/model")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: ["there"])
    check_there("some/model")


@pytest.mark.parametrize("name, limit", [("bert", 64), ("bart", 64), ("gpt2", 64), ("t5", None), ("llama", None)])
def test_positions(name: str, limit: Optional[int], tiny_model: Callable[[str], str]) -> None:
    assert learned_positions(AutoModel.from_pretrained(tiny_model(name))) == limit


def test_positions_behind_a_padding_one() -> None:
    config = RobertaConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    for padding, limit in ((1, 32), (0, 33)):
        config.max_position_embeddings, config.pad_token_id = 34, padding
        assert learned_positions(AutoModel.from_config(config)) == limit


POSITIONS = ["bert", "canine", "clip_text_model", "codegen", "ctrl", "gptj", "ibert", "llama", "mpt", "nystromformer"]
POSITIONS += ["openai-gpt", "prophetnet", "reformer", "roberta", "xglm", "yoso"]

# Which read on with the last position.
CLAMPED = ["doge", "prophetnet", "tapas", "xlm-prophetnet"]


def _check_limit(model_type: str) -> None:
    """A text as long as the limit is read; one more token is not, or where there is no limit, many more."""
    model = AutoModel.from_config(tiny_config(model_type, **OF_TYPE.get(model_type, {}))).eval()
    reads = model.get_encoder() if model.config.is_encoder_decoder else model
    model.config.use_cache = False

    @torch.no_grad()
    def read(length: int) -> None:
        reads(input_ids=torch.full((1, length), 7))

    limit = learned_positions(model)
    if limit is None:
        return read(600)
    read(limit)
    if model_type not in CLAMPED:
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            read(limit + 1)


@pytest.mark.parametrize("model_type", POSITIONS)
def test_where_positions_end(model_type: str) -> None:
    _check_limit(model_type)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", [kind for kind in text_types() if kind != "encoder-decoder"])
def test_where_positions_end_in_every_architecture(model_type: str) -> None:
    _check_limit(model_type)


def test_what_is_missing_is_refused(tiny_model: Callable[[str], str], tmp_path: Path, caplog: Any) -> None:
    folder = Path(shutil.copytree(tiny_model("bert"), tmp_path / "bert"))
    weights = load_file(folder / "model.safetensors")
    without_pooler = {name: weight for name, weight in weights.items() if "pooler" not in name}
    save_file(without_pooler, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="2 weights of BertModel are missing, the first: pooler.dense.bias"):
        load_pretrained(AutoModel, str(folder))
    loaded = load_pretrained(AutoModel, str(folder), may_lack=is_pooler)
    assert torch.equal(loaded.embeddings.word_embeddings.weight, weights["embeddings.word_embeddings.weight"])
    assert "has no pooler.dense.bias, pooler.dense.weight: untrained" in caplog.text
    half = dict(list(sorted(without_pooler.items()))[::2])
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ConfigurationError, match="weights of BertModel are missing, the first: .*: the folder is not whole"
    ):
        load_pretrained(AutoModel, str(folder), may_lack=is_pooler)
    with pytest.raises(ConfigurationError, match="embeddings.LayerNorm|encoder.layer"):
        load_pretrained(AutoModelForSequenceClassification, str(folder), may_lack=is_head)
    # A base model is enough where the head is trained.
    assert load_pretrained(AutoModelForSequenceClassification, tiny_model("bert"), may_lack=is_head)
    with pytest.raises(ConfigurationError, match="classifier.bias, classifier.weight: the folder holds a base model"):
        load_pretrained(AutoModelForSequenceClassification, tiny_model("bert"))
