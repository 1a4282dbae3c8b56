from typing import Any, Callable

import torch
from transformers import AutoModelForCausalLM, DynamicCache

from attribution.models.reading.reading import by_length, logits_at, selected


@torch.no_grad()
def test_logits_at_some_positions_are_those_of_all(tiny_model: Callable[[str], str]) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model("llama")).eval()
    ids, wanted = torch.tensor([[5, 6, 7], [8, 9, 10]]), torch.tensor([[False, True, True], [True, False, False]])
    every = model(input_ids=ids).logits
    with logits_at(model, wanted):
        torch.testing.assert_close(model(input_ids=ids).logits, every[wanted])
    assert model(input_ids=ids).logits.shape == every.shape  # The hook is gone.


def test_rows_of_a_cache_in_any_order_and_number() -> None:
    cache = DynamicCache()
    for layer in range(2):
        cache.update(torch.randn(3, 2, 5, 4), torch.randn(3, 2, 5, 4), layer)
    chosen = selected(cache, torch.tensor([2, 0, 2, 2]))
    for found, layer in zip(chosen.layers, cache.layers):
        torch.testing.assert_close(found.keys, layer.keys[[2, 0, 2, 2]])
        torch.testing.assert_close(found.values, layer.values[[2, 0, 2, 2]])
    assert chosen.get_seq_length() == 5
    torch.testing.assert_close(selected(cache, torch.arange(3)).layers[0].keys, cache.layers[0].keys)


def test_texts_of_equal_length_go_together() -> None:
    assert by_length([3, 1, 3, 2, 1]) == [[1, 4], [3], [0, 2]]
