"""Where the sub-layers of a transformer are: by the names of modules, architecture by architecture."""

import re
from typing import Any, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

# T5; BART, Marian and Llama; NLLB, T5Gemma; GPT-2; BERT.
SELF_ATTENTION = r"SelfAttention|self_attn|attn|attention\.self"
CROSS_ATTENTION = r"EncDecAttention|encoder_attn|crossattention\.self"
ATTENTION_OUTPUT = (
    r"(SelfAttention|EncDecAttention)\.o|(self_attn|encoder_attn|cross_attn|cross_attention)\.(out_proj|o_proj)"
    r"|(attn|crossattention)\.c_proj|(attention|crossattention)\.output\.dense"
)
FEED_FORWARD_INPUT = r"DenseReluDense\.(wi|wi_0)|fc1|mlp\.(gate_proj|c_fc)|layer\.\d+\.intermediate\.dense"
FEED_FORWARD_OUTPUT = r"DenseReluDense\.wo|fc2|mlp\.(down_proj|c_proj)|layer\.\d+\.output\.dense"

NamedModule = Tuple[str, torch.nn.Module]


def find(
    root: torch.nn.Module, pattern: str, method: str, target_modules: Optional[List[str]] = None
) -> List[NamedModule]:
    """
    The modules whose names end in `pattern`, a regular expression, or, where `target_modules` are given, in one of
    these.

    # Raises

    `ConfigurationError`, with `method` before it, if there is none.
    """
    if target_modules == []:
        raise ConfigurationError(f"{method}: `target_modules` is empty; name at least one layer, or leave it out")
    if target_modules is not None:
        pattern = "|".join(map(re.escape, target_modules))
    ending = re.compile(rf"(.*\.)?({pattern})")
    found = [(name, module) for name, module in root.named_modules() if ending.fullmatch(name)]
    if not found:
        wanted = f"called {', '.join(target_modules)}" if target_modules else "to change whose name is known"
        model_type = getattr(getattr(root, "config", None), "model_type", None)
        kind = type(root).__name__ if model_type is None else f"{model_type} model ({type(root).__name__})"
        raise ConfigurationError(
            f"{method}: there is no layer {wanted} in a {kind}; name them in `target_modules`, where it has that, or "
            "take `lora`"
        )
    return found


def stacks(transformer: PreTrainedModel) -> List[Any]:
    """The encoder, where there is one, and the decoder."""
    if transformer.config.is_encoder_decoder:
        return [transformer.get_encoder(), transformer.get_decoder()]
    return [transformer.base_model]


def freeze(transformer: PreTrainedModel) -> None:
    for weight in transformer.parameters():
        weight.requires_grad_(False)
