"""Whole layers as experts: mixtures, single experts, and the cache."""

from typing import Any, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.layer_experts import LayerExperts, _Apart
from attribution.modules.moe.routes import RouteHolder, layer_routes
from tests.modules.moe.conftest import IDS, ONE_HOT, ROUTES, SOFT, generate, logits, seen, vanilla, with_experts


@pytest.mark.parametrize("name", ["bart", "t5", "t5_gated"])
def test_a_mixture_is_the_weighted_sum_of_its_experts(name: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model(name), "layer")
    first = transformer.get_encoder()
    blocks = getattr(first, "layers", None) or first.block
    states = torch.randn(4, 7, 16, generator=torch.Generator().manual_seed(1))
    holder.layers = layer_routes(SOFT)
    with torch.no_grad():
        mixed = blocks[0](states, None)
        alone = [expert(states, None) for expert in blocks[0].experts]
    if name != "bart":
        assert torch.equal(mixed[1], alone[0][1])  # The position bias.
        mixed, alone = mixed[0], [output[0] for output in alone]
    by_hand = torch.stack([sum(SOFT[0, row, e] * alone[e][row] for e in range(3)) for row in range(4)])
    assert torch.allclose(mixed, by_hand, atol=1e-6)


class _ReturnsATuple(torch.nn.Linear):
    def forward(self, states: torch.Tensor) -> Any:
        return (super().forward(states),)


@pytest.mark.parametrize("routes", ROUTES)
def test_what_a_layer_returns_as_a_tuple_stays_one(routes: str) -> None:
    """Those of BART do so in transformers 4."""
    holder = RouteHolder()
    block = LayerExperts(holder, 0, _ReturnsATuple(2, 2), 3)
    holder.layers = layer_routes(ROUTES[routes])
    states = torch.randn(4, 5, 2)
    output = block(states)
    assert isinstance(output, tuple) and torch.allclose(output[0], block.experts[0](states)[0], atol=1e-6)


@pytest.mark.parametrize("name", ["bart", "t5"])
@pytest.mark.parametrize("routes", ROUTES)
@pytest.mark.parametrize("beams", [1, 3])
def test_cached_generation_equals_uncached(name: str, routes: str, beams: int, tiny_model: Any) -> None:
    """As published, every cached step after the first had the position 64 (the size of a head)."""
    transformer, holder = with_experts(tiny_model(name), "layer")
    holder.layers = layer_routes(ROUTES[routes])
    cached, uncached = (generate(transformer, num_beams=beams, use_cache=use) for use in (True, False))
    assert torch.equal(cached.sequences, uncached.sequences)
    for one, other in zip(cached.scores, uncached.scores):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_beams_are_those_of_each_prompt_by_itself(name: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model(name), "layer")
    holder.layers = layer_routes(ONE_HOT)
    together = generate(transformer, num_beams=3).sequences
    for row in range(4):
        holder.layers = layer_routes(ONE_HOT[:, row : row + 1])
        with torch.no_grad():
            alone = transformer.generate(
                input_ids=IDS[row : row + 1, : int(IDS[row].ne(0).sum())],
                num_beams=3,
                max_new_tokens=6,
                pad_token_id=0,
                decoder_start_token_id=transformer.config.decoder_start_token_id,
            )[0]
        assert alone.tolist() == together[row, : len(alone)].tolist()


def test_rows_are_copied_once_in_greedy_decoding(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each step its part of the cache is where an expert left it; a beam search puts them together."""
    transformer, holder = with_experts(tiny_model("bart"), "layer")
    joined: List[int] = []
    whole = _Apart.__getattr__
    monkeypatch.setattr(_Apart, "__getattr__", lambda self, name: (joined.append(1), whole(self, name))[1])
    for beams in (1, 3):
        holder.layers = layer_routes(ONE_HOT)
        generate(transformer, num_beams=beams)
        assert bool(joined) == (beams > 1)


def test_only_the_chosen_expert_runs(tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("bart"), "layer")
    experts = transformer.get_encoder().layers[0].experts
    rows = seen(list(experts))
    holder.layers = layer_routes(ONE_HOT)
    logits(transformer)
    assert rows == [1, 2, 1]
    rows.clear()
    holder.layers = layer_routes(ONE_HOT, dense=True)
    logits(transformer)
    assert rows == [4, 4, 4]


def test_relative_positions_are_shared(tiny_model: Any) -> None:
    transformer, _ = with_experts(tiny_model("t5"), "layer", alike=True)
    names = [name for name, _ in transformer.named_parameters() if "relative_attention_bias" in name]
    assert len(names) == 2
    block = transformer.get_encoder().block[0]
    assert isinstance(block, LayerExperts)
    one, other = (expert.layer[0].SelfAttention for expert in block.experts[:2])
    assert one.relative_attention_bias is other.relative_attention_bias and one.config is other.config
    original = vanilla(tiny_model("t5")).encoder.block[0].named_parameters()
    own = sum(weight.numel() for weight in block.expert_tensors(1))
    assert own == sum(weight.numel() for name, weight in original if "bias" not in name)


def test_a_static_cache_is_refused(tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("bart"), "layer")
    holder.layers = layer_routes(SOFT)
    with pytest.raises(ConfigurationError, match="leave `cache_implementation` out"):
        generate(transformer, cache_implementation="static")
