from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe import ArrowRouter
from attribution.modules.moe.experts import routed_modules
from tests.modules.moe.conftest import with_experts


def test_a_direction_is_the_first_right_singular_vector_of_an_experts_maps(tiny_model: Any) -> None:
    transformer, _ = with_experts(tiny_model("bart"), "lora")
    router = ArrowRouter(4, 3, 16)
    router.attach(transformer)
    vectors = torch.randn(2, 16)
    logits = router(vectors)
    assert logits.shape == (4, 2, 3)
    modules: Any = [module for module in routed_modules(transformer) if module.layer == 3]
    assert len(modules) == 4  # Queries and values of a decoder layer's two attentions.
    for expert in range(3):
        maps = torch.cat([module.up[expert].T @ module.down[expert] for module in modules])
        first = torch.linalg.svd(maps).Vh[0]
        assert torch.allclose(logits[3, :, expert], (vectors @ first).abs(), atol=1e-4)
    with torch.no_grad():
        modules[0].up += 1.0
    assert not torch.allclose(router(vectors)[3], logits[3]) and torch.equal(router(vectors)[2], logits[2])
    assert not list(router.parameters())


def test_it_needs_lora_experts_of_the_vectors_width(tiny_model: Any) -> None:
    for kind, size in (("lora", 8), ("layer", 16)):
        with pytest.raises(ConfigurationError, match=f"needs LoRA experts of a width of {size}"):
            ArrowRouter(4, 3, size).attach(with_experts(tiny_model("bart"), kind)[0])
