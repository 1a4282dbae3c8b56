#!/usr/bin/env bash
# peft 0.21.2 with transformers 5.23.0: prefix tuning with num_transformer_submodules=1 on a T5. PEFT hands the model a plain
# cache, which self-attention and cross-attention of a layer then share: cross-attention reads the prefix and the decoder's
# own keys beside the encoder's, and those of later tokens, too. So a token's logits depend on the tokens after it, and what
# is trained sees the labels that it is to predict. Expected: no dependence, as with num_transformer_submodules=2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import torch
from peft import PrefixTuningConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

warnings.simplefilter("ignore")
torch.manual_seed(0)
config = T5Config(num_layers=2, d_model=16, d_kv=8, num_heads=2, d_ff=32, vocab_size=50, decoder_start_token_id=0)
model = T5ForConditionalGeneration(config).eval()
text = torch.tensor([[5, 6, 7, 8]])


@torch.no_grad()
def by_the_last_token(submodules):
    """How far the first two tokens' logits are apart for two targets that differ in the third."""
    prefix = PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, num_transformer_submodules=submodules
    )
    tuned = get_peft_model(model, prefix).eval()
    tuned.prompt_encoder["default"].embedding.weight.normal_()
    one, other = (
        tuned(input_ids=text, decoder_input_ids=torch.tensor([[0, 4, last]])).logits[:, :2] for last in (9, 11)
    )
    return float((one - other).abs().max())


one, two = by_the_last_token(1), by_the_last_token(2)
print(f"a later token changes the logits of earlier ones by {one:.3f} with one submodule, by {two:.3f} with two")
sys.exit(not (one > 0.1 and two < 1e-5))
PYTHON
