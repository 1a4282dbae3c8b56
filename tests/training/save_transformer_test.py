"""A training leaves a folder that other trainings and encoders start from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from allennlp.models.archival import load_archive

from attribution.data.prompt_tokenizer import PromptTokenizer
from attribution.encoders import TransformerEncoder
from attribution.models.pretrained import load_transformer
from attribution.training import SaveTransformer
from tests.models.conftest import make_model

CHANGES = {"trainer.callbacks": ["save_transformer"], "trainer.num_epochs": 1}


@pytest.mark.parametrize("name", ["bart", "llama"])
def test_the_folder_is_the_archives_model(
    name: str, train_config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path
) -> None:
    result = allennlp("train", train_config(CHANGES, name), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    folder = str(tmp_path / "run" / "transformer")
    archived = load_archive(tmp_path / "run" / "model.tar.gz").model.transformer.state_dict()
    saved = load_transformer(folder, name == "bart").state_dict()
    assert saved.keys() == archived.keys() and all(torch.equal(saved[key], archived[key]) for key in saved)
    untrained = load_transformer(tiny_model(name), name == "bart").state_dict()
    assert not all(torch.equal(saved[key], untrained[key]) for key in saved)
    tokenizers = PromptTokenizer(folder), PromptTokenizer(tiny_model(name))
    assert len({str(one.prompts(["a good film ?"], 3)) for one in tokenizers}) == 1
    assert TransformerEncoder(folder).encode(["a film"]).shape == (1, 16)


@pytest.mark.parametrize(
    "model, message",
    [({"delta": {"type": "lora"}}, "trains a delta; use the callback save_delta"), (None, "has no transformer")],
)
def test_nothing_to_save(model: Any, message: str, tiny_model: Any, tmp_path: Path) -> None:
    given = SimpleNamespace() if model is None else make_model(tiny_model("t5"), **model)
    with pytest.raises(Exception, match=f"save_transformer: the model {message}"):
        SaveTransformer(str(tmp_path)).on_start(SimpleNamespace(model=given))


def test_only_the_first_process_writes_and_only_at_a_good_end(tiny_model: Any, tmp_path: Path) -> None:
    trainer, callback = SimpleNamespace(model=make_model(tiny_model("t5"))), SaveTransformer(str(tmp_path))
    callback.on_end(trainer, metrics={}, is_primary=False)
    callback.on_end(trainer, metrics=None, is_primary=True)
    assert not list(tmp_path.iterdir())
