import shutil
from pathlib import Path
from typing import Callable, Optional

import pytest
from allennlp.common.checks import ConfigurationError
from transformers import AutoModel, RobertaConfig

from attribution.common.pretrained import learned_positions, model_identity


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


@pytest.mark.parametrize("name, limit", [("bert", 64), ("bart", 64), ("gpt2", 64), ("t5", None), ("llama", None)])
def test_positions(name: str, limit: Optional[int], tiny_model: Callable[[str], str]) -> None:
    assert learned_positions(AutoModel.from_pretrained(tiny_model(name))) == limit


def test_positions_behind_a_padding_one() -> None:
    config = RobertaConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    config.max_position_embeddings, config.pad_token_id = 34, 1
    assert learned_positions(AutoModel.from_config(config)) == 32
