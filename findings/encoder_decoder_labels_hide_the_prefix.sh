#!/usr/bin/env bash
# peft 0.21.2 with transformers 5.23.0: prefix tuning on an EncoderDecoderModel of two BERTs. Given as labels, a target has
# other logits than given as decoder_input_ids (the labels shifted by one token): from labels the model makes a mask for the
# decoder that is as long as the target, without the virtual tokens that are in the cache. So what the prefix is trained on is
# not what it does afterwards. Without the prefix both ways are equal. Expected: equal with it, too.
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
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

warnings.simplefilter("ignore")
torch.manual_seed(0)
settings = dict(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=64, initializer_range=0.2,
)
config = EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(**settings), BertConfig(**settings))
config.decoder_start_token_id, config.pad_token_id = 1, 0
model = EncoderDecoderModel(config).eval()
text = torch.tensor([[5, 6, 7, 8]])
inputs = {"input_ids": text, "attention_mask": torch.ones_like(text)}


@torch.no_grad()
def apart(network):
    by_labels = network(**inputs, labels=torch.tensor([[11, 12, 13]])).logits
    by_ids = network(**inputs, decoder_input_ids=torch.tensor([[1, 11, 12]])).logits
    return float((by_labels - by_ids).abs().max())


without = apart(model)
prefix = PrefixTuningConfig(
    task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, token_dim=32, num_layers=2, num_attention_heads=4,
    num_transformer_submodules=2,
)
tuned = get_peft_model(model, prefix).eval()
with torch.no_grad():
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.normal_()
with_prefix = apart(tuned)
print(f"labels and decoder_input_ids: logits {without:.3f} apart without a prefix, {with_prefix:.3f} with one")
sys.exit(not (without < 1e-4 and with_prefix > 0.1))
PYTHON
