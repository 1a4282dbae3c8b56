from typing import Any, Callable, List

import pytest
import torch
from transformers import AutoModelForCausalLM

from attribution.data.fields import pad_token_ids
from attribution.models.reading import option_log_probs
from attribution.models.reading.causal import (
    PairByPair,
    SharedPrompt,
    WithinLimit,
    _parts,
    _rows_together,
    on_the_left,
)

PROMPTS = [[5, 9, 11, 30], [7], [12, 13, 14, 15, 16, 17, 18], [3, 4]]
OPTIONS = [[[4, 2], [5, 6, 7]], [[8, 9]], [[10, 2], [11, 12, 13, 14, 15], [4]], [[6], [8, 9]]]
FLAT = [option for row in OPTIONS for option in row]
COUNTS = torch.tensor([len(row) for row in OPTIONS])


@pytest.fixture
def llama(tiny_model: Callable[[str], str]) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model("llama")).eval()


@torch.no_grad()
def _plain(model: Any) -> List[torch.Tensor]:
    scores = []
    for prompt, options in zip(PROMPTS, OPTIONS):
        for option in options:
            logits = model(input_ids=torch.tensor([prompt + option])).logits[0, len(prompt) - 1 : -1]
            scores.append(logits.log_softmax(-1)[range(len(option)), option])
    return scores


@torch.no_grad()
def _scores(reading: Any, max_tokens: int = 1000) -> List[torch.Tensor]:
    options = pad_token_ids(FLAT, 0)
    rows = option_log_probs(reading.read(pad_token_ids(PROMPTS, 0), options), options, COUNTS, max_tokens)
    return [row[: len(option)] for row, option in zip(rows, FLAT)]


@pytest.mark.parametrize("max_tokens", [1000, 40, 1])
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("way", ["shared", "pairs", "apart", "limited"])
def test_each_way_gives_a_plain_passs_numbers(llama: Any, way: str, narrow: bool, max_tokens: int) -> None:
    reading = {
        "shared": SharedPrompt(llama, narrow, positioned=True),
        "pairs": PairByPair(llama, narrow, apart=False),
        "apart": PairByPair(llama, narrow, apart=True),
        "limited": WithinLimit(9, SharedPrompt(llama, narrow, True), PairByPair(llama, narrow, apart=True)),
    }[way]
    for found, expected in zip(_scores(reading, max_tokens), _plain(llama)):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    targets = pad_token_ids([row[-1] for row in OPTIONS], 0)
    logits = reading.target_logits(pad_token_ids(PROMPTS, 0), targets)
    found = logits.log_softmax(-1)[range(len(logits)), targets["token_ids"][targets["mask"]]]
    last = [_plain(llama)[number] for number in COUNTS.cumsum(0) - 1]
    torch.testing.assert_close(found, torch.cat(last), atol=1e-5, rtol=0)


def _batches(llama: Any, reading: Any) -> List[torch.Size]:
    shapes: List[torch.Size] = []
    llama.model.embed_tokens.register_forward_hook(
        lambda _module, arguments, _output: shapes.append(arguments[0].shape)
    )
    _scores(reading)
    return shapes


def test_a_prompt_is_read_once(llama: Any) -> None:
    first, *others = _batches(llama, SharedPrompt(llama, True, positioned=True))
    assert first == (4, 7)
    assert max(shape[1] for shape in others) == 4  # The longest option, but its last token.


def test_texts_of_equal_length_go_without_padding(llama: Any) -> None:
    shapes = _batches(llama, PairByPair(llama, True, apart=True))
    lengths = sorted(len(prompt) + len(option) for prompt, row in zip(PROMPTS, OPTIONS) for option in row)
    assert sorted(length for rows, length in shapes for _ in range(rows)) == lengths


def test_short_rows_of_similar_length_go_together(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attribution.models.reading.causal._TOGETHER", {"cpu": 20})
    assert _rows_together([5, 5, 9, 9, 5, 6, 5, 5], 2, "cpu") == [[0, 1, 6, 7], [4, 5], [2, 3]]
    assert _rows_together([5, 5, 9, 9, 5, 6, 5, 5], 2, "cuda") == [[0, 1, 6, 7], [4, 5], [2, 3]]
    assert _rows_together([5, 5, 5, 5], 2, "cuda") == [[0, 1, 2, 3]]
    assert all(rows in (1, 2, 3) for rows, _ in _batches(llama, PairByPair(llama, True, apart=False)))


def test_a_row_of_many_options_is_read_in_equal_parts() -> None:
    places, lengths = list(range(9)), [4] * 8 + [5]
    assert _parts(places, lengths, 100) == [places]
    assert _parts(places, lengths, 20) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert _parts(places, lengths, 1) == [[place] for place in places]


def test_within_a_limit_the_quick_way(llama: Any) -> None:
    within, beyond = SharedPrompt(llama, True, positioned=True), PairByPair(llama, True, apart=True)
    options = pad_token_ids(FLAT, 0)
    for limit, chosen in ((12, within), (11, beyond)):  # 7 tokens of a prompt, 5 of an option.
        assert WithinLimit(limit, within, beyond)._way(pad_token_ids(PROMPTS, 0), options) is chosen


def test_padding_goes_to_the_left() -> None:
    token_ids, mask = on_the_left(pad_token_ids([[5, 6, 7], [8], [9, 10]], 0))
    assert token_ids.tolist() == [[5, 6, 7], [0, 0, 8], [0, 9, 10]]
    assert mask.tolist() == [[True] * 3, [False, False, True], [False, True, True]]
