from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import Delta, delta_folder, delta_module, read_delta
from attribution.similarity import resident_model
from tests.similarity.conftest import resident, task


@pytest.mark.parametrize("kept", [2 << 30, 0])
def test_one_delta_after_the_other(
    kept: int, save_delta: Any, tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is read once where memory holds them; what is in the model is the delta that was put there, always."""
    monkeypatch.setattr(resident_model, "_KEPT_BYTES", kept)
    reads = []
    monkeypatch.setattr(
        delta_module, "read_delta", lambda *arguments: reads.append(arguments) or read_delta(*arguments)
    )
    folders = [save_delta(name, seed) for seed, name in enumerate("abc")]
    loaded = resident(tiny_model("t5"), folders[0])
    [batch] = task(tiny_model("t5"), 4).batches
    logits = []
    for folder in [*folders, folders[0], folders[2], folders[1]]:
        loaded.put(folder)
        for name, weight in loaded.tensors().items():
            assert torch.equal(weight, delta_folder.read_delta(folder).tensors[name])
        logits.append(loaded.logits(batch))
    assert len(reads) == (3 if kept else 6)
    for one, other in ((0, 3), (1, 5), (2, 4)):
        assert torch.equal(logits[one], logits[other]) and not torch.equal(logits[0], logits[1])


def test_a_delta_that_is_in_no_folder(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    folder = save_delta("a", 1)
    loaded = resident(tiny_model("t5"), folder)
    tensors = {name: torch.full_like(weight, 0.5) for name, weight in loaded.tensors().items()}
    loaded.put_delta(Delta(read_delta(folder).config, tensors, None))
    assert all(torch.equal(weight, tensors[name]) for name, weight in loaded.tensors().items())
    loaded.put(folder)  # Not taken to be there still.
    assert not any(torch.equal(weight, tensors[name]) for name, weight in loaded.tensors().items())


def test_a_delta_of_another_kind(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    loaded = resident(tiny_model("t5"), save_delta("a", 1))
    for name, model, delta, message in (
        ("method", "t5", {"type": "ia3"}, "peft_type is 'IA3' there and 'LORA' here"),
        ("size", "t5", {"type": "lora", "r": 3}, "of its tensors have another shape, the first: .*lora_"),
        ("base", "t5_gated", None, "tuned on another base model"),
    ):
        with pytest.raises(ConfigurationError, match=f"{name}: .*{message}"):
            loaded.put(save_delta(name, 1, model, delta))


def test_a_text_longer_than_the_models_positions(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    loaded = resident(tiny_model("bart"), save_delta("a", 1, "bart"), "bart")
    [batch] = task(tiny_model("bart"), 4).batches
    longer = {name: ids.repeat(1, 9) for name, ids in batch.prompts.items()}
    with pytest.raises(ConfigurationError, match="has 64 positions"):
        loaded.logits(batch._replace(prompts=longer))
