#!/usr/bin/env bash
# transformers 5.23.0: a DeepseekV4ForCausalLM is saved by save_pretrained and loaded by AutoModel, its base model. The weight
# of the last norm is reported as missing and started anew, and "model.kv_norm.weight" as unexpected: the saved name of the
# norm is taken for another layer's. AutoModelForCausalLM loads the same folder whole. Expected: the base model has the saved
# norm, as other architectures' have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/python" - "$folder/model" <<'PYTHON'
import sys

import torch
from transformers import AutoModel, AutoModelForCausalLM, DeepseekV4Config

torch.manual_seed(0)
config = DeepseekV4Config(
    vocab_size=128, hidden_size=32, moe_intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, q_lora_rank=8, o_lora_rank=8, n_routed_experts=4, num_experts_per_tok=2,
    n_shared_experts=1, index_head_dim=8, max_position_embeddings=256, sliding_window=16,
    layer_types=["heavily_compressed_attention", "compressed_sparse_attention"], mlp_layer_types=["hash_moe", "moe"],
)
model = AutoModelForCausalLM.from_config(config)
with torch.no_grad():
    for weight in model.parameters():
        weight.add_(torch.randn_like(weight))
model.save_pretrained(sys.argv[1])
whole, of_whole = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)
base, of_base = AutoModel.from_pretrained(sys.argv[1], output_loading_info=True)
saved = model.model.norm.weight
apart = [float((found - saved).abs().max()) for found in (whole.model.norm.weight, base.norm.weight)]
print(f"missing: {sorted(of_whole['missing_keys'])} and {sorted(of_base['missing_keys'])}; "
      f"unexpected of the base model: {sorted(of_base['unexpected_keys'])}; the norm is {apart[0]} and {apart[1]:.2f} off")
sys.exit(not (apart[0] == 0 and apart[1] > 0.1 and "norm.weight" in of_base["missing_keys"]))
PYTHON
