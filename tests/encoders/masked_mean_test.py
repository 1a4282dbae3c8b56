from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModel, AutoTokenizer

from attribution.encoders import Encoder, MaskedMeanEncoder

TEXTS = ["the cat sat on the mat", "good", "a bad film , was it ?", "red green blue", "", "one two three four"] * 4


def _slow(folder: str, text: str) -> np.ndarray:
    """One text at a time through the whole model: no batch, no padding."""
    model = AutoModel.from_pretrained(folder).eval()
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    ids = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=6).input_ids
    with torch.no_grad():
        return encoder(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()


@pytest.mark.parametrize("name", ["t5", "bart", "bert"])
@pytest.mark.parametrize("max_tokens", [5, 64, 100_000])
def test_equals_one_text_at_a_time_in_order(name: str, max_tokens: int, tiny_model: Callable[[str], str]) -> None:
    encoder = MaskedMeanEncoder(tiny_model(name), max_length=6, max_tokens=max_tokens)
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == (len(TEXTS), 16)
    for text, vector in zip(TEXTS[:6], vectors):
        np.testing.assert_allclose(vector, _slow(tiny_model(name), text), atol=1e-5)


def test_blocks_are_windows_in_order(tiny_model: Callable[[str], str], monkeypatch: Any) -> None:
    monkeypatch.setattr("attribution.encoders.masked_mean._WINDOW", 5)
    encoder = MaskedMeanEncoder(tiny_model("t5"), normalize=True)
    blocks = list(encoder.encode_blocks(iter(TEXTS)))
    assert [len(block) for block in blocks] == [5, 5, 5, 5, 4]
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(blocks), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(blocks[0][0], blocks[1][1], atol=1e-6)  # The same text.


def test_of_t5_the_decoder_is_not_loaded(tiny_model: Callable[[str], str]) -> None:
    assert not any("decoder" in name for name, _ in MaskedMeanEncoder(tiny_model("t5"))._model.named_parameters())


def test_bad_model() -> None:
    with pytest.raises(ConfigurationError, match="encoder /nowhere: cannot be loaded"):
        Encoder.by_name("masked_mean")(model_name="/nowhere")  # type: ignore[call-arg]
