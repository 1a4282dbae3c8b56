from typing import Any, Callable, List, Optional

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from attribution.data.fields import pad_token_ids
from attribution.models.reading import option_log_probs
from attribution.models.reading.seq2seq import SharedEncoder
from attribution.models.reading.shared_keys_attention import shares_keys
from tests.models.reading.causal_test import COUNTS, FLAT, OPTIONS, PROMPTS


@torch.no_grad()
def _plain(model: Any, start: Optional[int]) -> List[torch.Tensor]:
    scores = []
    for prompt, options in zip(PROMPTS, OPTIONS):
        for option in options:
            first = option[-1] if start is None else start
            inputs = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([[first, *option[:-1]]])}
            logits = model(**inputs, use_cache=False).logits[0]
            scores.append(logits.log_softmax(-1)[range(len(option)), option])
    return scores


@pytest.mark.parametrize("start", [0, None], ids=["a start", "the last token"])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("cached, sharing", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("name", ["t5", "bart"])
@torch.no_grad()
def test_each_way_gives_a_plain_passs_numbers(
    name: str,
    narrow: bool,
    cached: bool,
    sharing: bool,
    apart: bool,
    start: Optional[int],
    tiny_model: Callable[[str], str],
) -> None:
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(tiny_model(name)).eval()
    if sharing and not shares_keys(model.get_decoder()):
        pytest.skip("T5's attention cannot share keys in transformers 4")
    reading = SharedEncoder(model, narrow, start, cached, sharing, apart)
    prompts, options, expected = pad_token_ids(PROMPTS, 0), pad_token_ids(FLAT, 0), _plain(model, start)
    for max_tokens in (1000, 40, 1):
        rows = option_log_probs(reading.read(prompts, options), options, COUNTS, max_tokens)
        for row, option, wanted in zip(rows, FLAT, expected):
            torch.testing.assert_close(row[: len(option)], wanted, atol=1e-5, rtol=0)
    targets = pad_token_ids([row[-1] for row in OPTIONS], 0)
    for given in (prompts, {**prompts, "states": reading.encode(prompts)}):
        logits = reading.target_logits(given, targets)
        found = logits.log_softmax(-1)[range(len(logits)), targets["token_ids"][targets["mask"]]]
        last = torch.cat([expected[number] for number in COUNTS.cumsum(0) - 1])
        torch.testing.assert_close(found, last, atol=1e-5, rtol=0)


@torch.no_grad()
def test_prompts_of_equal_length_are_encoded_without_padding(tiny_model: Callable[[str], str]) -> None:
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("bart")).eval()
    shapes: List[Any] = []
    model.get_encoder().embed_tokens.register_forward_hook(lambda _module, ids, _output: shapes.append(ids[0].shape))
    reading = SharedEncoder(model, True, 2, cached=True, sharing=True, apart=True)
    prompts = [[5, 6, 7], [8], [9, 10, 11], [12]]
    states = reading.encode(pad_token_ids(prompts, 0))
    assert shapes == [(2, 1), (2, 3)]
    for prompt, own in zip(prompts, states):
        alone = model.get_encoder()(input_ids=torch.tensor([prompt]))[0][0]
        torch.testing.assert_close(own[: len(prompt)], alone, atol=1e-6, rtol=0)
