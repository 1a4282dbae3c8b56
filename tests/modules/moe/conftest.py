from typing import Any, Dict, List

import torch
import torch.nn.functional as F
from transformers import AutoModelForSeq2SeqLM

from attribution.modules.moe import AdapterExperts, FeedForwards, LoraExperts, WholeLayers
from attribution.modules.moe.experts import routed_modules

KINDS: Dict[str, Any] = {
    "layer": WholeLayers,
    "feed_forward": FeedForwards,
    "lora": LoraExperts,
    "adapter": AdapterExperts,
}
LAYERS, BATCH, COUNT = 4, 4, 3

# Four prompts of different lengths.
IDS = torch.tensor([[5, 9, 12, 30, 7, 21, 2], [8, 14, 2, 0, 0, 0, 0], [6, 33, 40, 11, 2, 0, 0], [9, 2, 0, 0, 0, 0, 0]])
MASK = IDS.ne(0).long()
TARGETS = torch.tensor([[4, 8, 15, 16], [23, 42, 4, 8], [15, 16, 23, 42], [7, 7, 9, 11]])

ONE_HOT = F.one_hot(torch.tensor([[0, 1, 2, 1], [2, 2, 2, 2], [1, 0, 0, 1], [2, 0, 1, 0]]), COUNT).float()
SAME_FOR_ALL = F.one_hot(torch.tensor([[1] * 4, [0] * 4, [2] * 4, [1] * 4]), COUNT).float()
TWO_OF_THREE = torch.tensor([0.25, 0.0, 0.75]).expand(LAYERS, BATCH, COUNT)
SOFT = torch.arange(LAYERS * BATCH * COUNT).view(LAYERS, BATCH, COUNT).mul(0.7).sin().softmax(-1)
ROUTES = {"one_hot": ONE_HOT, "same_for_all": SAME_FOR_ALL, "two_of_three": TWO_OF_THREE, "soft": SOFT}


def vanilla(folder: str) -> Any:
    return AutoModelForSeq2SeqLM.from_pretrained(folder).eval()


def with_experts(folder: str, kind: str, alike: bool = False, **settings: Any) -> Any:
    """(transformer, holder), with experts that differ from each other."""
    transformer = vanilla(folder)
    holder = KINDS[kind](count=COUNT, noise=0.0, **settings).inject(transformer)
    if not alike:
        move_apart(transformer)
    return transformer, holder


@torch.no_grad()
def move_apart(transformer: Any) -> None:
    generator = torch.Generator().manual_seed(5)
    for module in routed_modules(transformer):
        for expert in range(COUNT):
            for tensor in module.expert_tensors(expert):
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)


def logits(transformer: Any, rows: Any = slice(None)) -> torch.Tensor:
    with torch.no_grad():
        return transformer(
            input_ids=IDS[rows], attention_mask=MASK[rows], decoder_input_ids=TARGETS[rows], use_cache=False
        ).logits


def generate(transformer: Any, **settings: Any) -> Any:
    return transformer.generate(
        input_ids=IDS,
        attention_mask=MASK,
        max_new_tokens=6,
        pad_token_id=0,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
        decoder_start_token_id=transformer.config.decoder_start_token_id,
        **settings,
    )


def seen(modules: List[Any]) -> List[int]:
    """A list that will hold the number of rows of each call of the modules."""
    rows: List[int] = []
    for module in modules:
        module.register_forward_hook(lambda _module, arguments, _output: rows.append(len(arguments[0])))
    return rows
