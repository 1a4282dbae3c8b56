#!/usr/bin/env bash
# peft 0.21.2: orthogonal subspace fine-tuning (OSFConfig) of a GPT-2, whose layers are transformers' Conv1D. The named layers
# are found and the model is returned, but no parameter is trainable, and there is no error and no warning; of a Llama, whose
# layers are torch's Linear, the same call gives trainable parameters. Expected: an error, as of other methods.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 peft==0.21.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import torch
from peft import OSFConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=50, n_positions=32))
llama = LlamaForCausalLM(
    LlamaConfig(
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, hidden_size=16, intermediate_size=32,
        vocab_size=50,
    )
)


def trained(model, layer):
    config = OSFConfig(task_type="CAUSAL_LM", target_modules=[layer], effective_rank=4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tuned = get_peft_model(model, config)
    of_peft = [warning for warning in caught if "peft" in warning.category.__module__.lower()]
    return sum(weight.numel() for weight in tuned.parameters() if weight.requires_grad), len(of_peft)


(none, told), (some, _) = trained(gpt2, "c_attn"), trained(llama, "q_proj")
print(f"trainable numbers: {none} of the GPT-2 ({told} warnings of PEFT), {some} of the Llama")
sys.exit(not (none == 0 and told == 0 and some > 0))
PYTHON
