#!/usr/bin/env bash
# transformers 5.23.0: MRA computes its attention by a CUDA kernel. On a machine without it the model loads and runs, with
# no error, and its attention gives zeros: the last token has the very same state in two texts that differ everywhere else.
# Expected: an error, or attention.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from transformers import MraConfig, MraModel

torch.manual_seed(0)
config = MraConfig(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=128,
)
model = MraModel(config).eval()
with torch.no_grad():
    one = model(torch.tensor([[5, 6, 7, 8] * 16])).last_hidden_state[0, -1]
    other = model(torch.tensor([[9, 10, 11, 12] * 15 + [20, 21, 22, 8]])).last_hidden_state[0, -1]
print(f"the state of the last token in two texts of 64: {float((one - other).abs().max())} apart")
sys.exit(torch.cuda.is_available() or not torch.equal(one, other))
PYTHON
