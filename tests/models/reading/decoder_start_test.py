from typing import Any, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSeq2SeqLM

from attribution.models.reading.decoder_start import decoder_start
from tests.architectures import tiny_config


@pytest.mark.parametrize(
    "name, changes, start",
    [
        ("t5", {}, 0),
        ("bart", {"decoder_start_token_id": 3}, 3),
        ("m2m_100", {"decoder_start_token_id": 2}, 2),
        ("mbart", {"decoder_start_token_id": 5}, None),  # Which only `generate` begins with.
        ("plbart", {}, None),
        ("encoder-decoder", {"decoder_start_token_id": 6}, 6),
    ],
)
def test_the_models_own_loss_begins_with_it(name: str, changes: Any, start: Optional[int]) -> None:
    torch.manual_seed(0)
    model = AutoModelForSeq2SeqLM.from_config(tiny_config(name, **changes)).eval()
    assert decoder_start(model) == start
    prompt, label = torch.tensor([[7, 9, 11]]), torch.tensor([[20, 21, 22]])
    first = 22 if start is None else start
    given = model(input_ids=prompt, decoder_input_ids=torch.tensor([[first, 20, 21]])).logits
    torch.testing.assert_close(model(input_ids=prompt, labels=label).logits, given)


def test_without_one_in_its_own_configuration_it_is_the_decoders() -> None:
    config = tiny_config("encoder-decoder", decoder_start_token_id=None)
    config.decoder.decoder_start_token_id = 4
    assert decoder_start(AutoModelForSeq2SeqLM.from_config(config)) == 4


def test_a_loss_that_does_not_shift_is_refused() -> None:
    model: Any = AutoModelForSeq2SeqLM.from_config(tiny_config("t5"))
    model._shift_right = lambda labels: labels
    with pytest.raises(ConfigurationError, match="does not put one token before a label"):
        decoder_start(model)
