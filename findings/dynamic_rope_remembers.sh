#!/usr/bin/env bash
# transformers 5.23.0: a Llama whose rotary frequencies are of the type "dynamic" is read with a text that is longer than
# max_position_embeddings, then with a still longer one, then with the first again. The first text has other logits the
# second time: the frequencies stay those of the longer text until a text within max_position_embeddings comes. So the same
# text scores otherwise in another order of texts. Expected: the logits of a text depend on the text alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=100, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=32, initializer_range=0.2,
    rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0},
)
model = LlamaForCausalLM(config).eval()
text, longer, short = torch.arange(40)[None], torch.arange(90)[None], torch.arange(8)[None]
with torch.no_grad():
    first = model(text).logits
    model(longer)
    after_longer = model(text).logits
    model(short)
    after_short = model(text).logits
changed = float((after_longer - first).abs().max())
restored = float((after_short - first).abs().max())
print(f"the same 40 tokens: logits {changed:.2f} apart after a text of 90, {restored:.2f} apart after a text of 8")
sys.exit(not (changed > 0.1 and restored < 1e-4))
PYTHON
