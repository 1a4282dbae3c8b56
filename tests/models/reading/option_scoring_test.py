"""Scores against the slow way: one full pass of the model for every option, logits everywhere."""

from typing import Any, Callable, List, Tuple

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from attribution.data.fields import pad_token_ids
from attribution.models.reading import choose_reading, option_log_probs
from attribution.models.reading.decoder_start import decoder_start
from tests.conftest import CAUSAL, SEQ2SEQ

PROMPTS = [[5, 9, 11, 30, 2], [7, 2], [12, 13, 14, 15, 16, 17, 18, 2]]
OPTIONS = [[[4, 2], [5, 6, 7, 2]], [[8, 9, 2]], [[10, 2], [11, 12, 13, 14, 15, 2], [4, 5, 2], [10, 11, 2]]]


def _flat() -> Tuple[List[List[int]], torch.Tensor]:
    return [option for row in OPTIONS for option in row], torch.tensor([len(row) for row in OPTIONS])


def _batch(texts: List[List[int]]) -> Any:
    return pad_token_ids([torch.tensor(ids) for ids in texts], 0)


def _slow_seq2seq(model: Any, prompt: List[int], option: List[int]) -> torch.Tensor:
    decoder_input = torch.tensor([[decoder_start(model), *option[:-1]]])
    logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=decoder_input, use_cache=False).logits
    return logits[0].log_softmax(-1)[range(len(option)), option]


def _slow_causal(model: Any, prompt: List[int], option: List[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([prompt + option]), use_cache=False).logits
    return logits[0, len(prompt) - 1 : -1].log_softmax(-1)[range(len(option)), option]


def _expected(slow: Any, model: Any) -> List[torch.Tensor]:
    return [slow(model, prompt, option) for prompt, options in zip(PROMPTS, OPTIONS) for option in options]


@pytest.mark.parametrize("max_tokens", [100_000, 30, 1], ids=["one pass", "several passes", "an option a pass"])
@pytest.mark.parametrize("name", SEQ2SEQ + CAUSAL)
def test_equals_one_full_pass_per_option(name: str, max_tokens: int, tiny_model: Callable[[str], str]) -> None:
    auto = AutoModelForSeq2SeqLM if name in SEQ2SEQ else AutoModelForCausalLM
    model = auto.from_pretrained(tiny_model(name)).eval()
    options, num_options = _flat()
    with torch.no_grad():
        read = choose_reading(model, name).read(_batch(PROMPTS), _batch(options))
        scores = option_log_probs(read, _batch(options), num_options, max_tokens)
        expected = _expected(_slow_seq2seq if name in SEQ2SEQ else _slow_causal, model)
    for option, row, wanted in zip(options, scores, expected):
        torch.testing.assert_close(row[: len(option)], wanted, atol=1e-5, rtol=0)
        assert not row[len(option) :].any()
    assert len({round(float(row.sum()), 3) for row in scores}) > 4  # The model does tell options apart.


def test_a_row_is_encoded_once_and_logits_stay_at_option_tokens(tiny_model: Callable[[str], str]) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")).eval()
    reading = choose_reading(model, "t5")
    encoded: List[int] = []
    projected: List[int] = []
    keys: List[int] = []
    model.get_encoder().block[0].register_forward_hook(lambda _m, args, _o: encoded.append(len(args[0])))
    model.lm_head.register_forward_hook(lambda _m, args, _o: projected.append(args[0][..., 0].numel()))
    cross_attention = model.get_decoder().block[0].layer[1].EncDecAttention
    cross_attention.k.register_forward_hook(lambda _m, args, _o: keys.append(len(args[0])))
    options, num_options = _flat()
    with torch.no_grad():
        option_log_probs(reading.read(_batch(PROMPTS), _batch(options)), _batch(options), num_options, 100_000)
    assert encoded == [len(PROMPTS)]
    assert keys == [len(PROMPTS)]
    # One first token for each row, then what is left of each option: a pass for the rows with 1, 2, 4 options.
    assert projected[0] == len(PROMPTS)
    assert sum(projected[1:]) == sum(len(option) - 1 for option in options)


def test_a_hundred_options_fit_the_budget(tiny_model: Callable[[str], str]) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")).eval()
    reading = choose_reading(model, "t5")
    options = [[4 + number % 40, 5 + number // 40, 2] for number in range(100)]
    widths: List[int] = []
    model.get_decoder().register_forward_hook(lambda _m, _a, output: widths.append(len(output[0])))
    with torch.no_grad():
        read = reading.read(_batch(PROMPTS[2:]), _batch(options))
        num_options = torch.tensor([100])
        chunked = option_log_probs(read, _batch(options), num_options, max_tokens=11 * 10)
        whole = option_log_probs(read, _batch(options), num_options, max_tokens=100_000)
    assert max(widths[:-1]) == 10
    torch.testing.assert_close(chunked, whole, atol=1e-5, rtol=0)
