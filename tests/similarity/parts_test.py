import pytest

from attribution.similarity.parts import part_of


@pytest.mark.parametrize(
    "name, block, layer",
    [
        ("encoder.block.11.layer.1.DenseReluDense.wo.adapter.x", "encoder.block.11", "encoder.block.11.layer.1"),
        ("base_model.model.decoder.block.0.layer.2.y", "decoder.block.0", "decoder.block.0.layer.2"),
        ("model.decoder.layers.3.encoder_attn.q_proj.lora_A.weight", "model.decoder.layers.3", "encoder_attn"),
        ("transformer.h.1.attn.c_attn.lora_A.weight", "transformer.h.1", "attn"),
        ("encoder.encoder.layer.5.attention.self.query.x", "encoder.encoder.layer.5", "attention"),
    ],
)
def test_any_depth_and_any_architecture(name: str, block: str, layer: str) -> None:
    assert part_of(name, "model") == "model"
    assert part_of(name, "block") == block
    assert part_of(name, "layer") == (layer if layer.startswith(block) else f"{block}.{layer}")
