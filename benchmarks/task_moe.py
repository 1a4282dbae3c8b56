"""
What a mixture of experts costs, three a layer: evaluation of one-hot routes, only the chosen expert run, against
the dense mixture; a training step of the mixture against its layers run once each and added up; and LoRA
experts against plain LoRA. Run: `python -m benchmarks.task_moe`.
"""

import copy
import time
from statistics import median
from typing import Any, Callable, Dict

import torch
import torch.nn.functional as F
from transformers import BartConfig, BartForConditionalGeneration

from attribution.modules.delta import Lora
from attribution.modules.moe import LoraExperts, RouteHolder, WholeLayers, layer_routes
from attribution.modules.moe.layer_experts import LayerExperts

LAYERS, EXPERTS, BATCH, LENGTH, TARGET, REPEATS = 8, 3, 16, 64, 16, 7
CONFIG = BartConfig(
    vocab_size=2000,
    d_model=256,
    encoder_layers=LAYERS // 2,
    decoder_layers=LAYERS // 2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=1024,
    decoder_ffn_dim=1024,
    max_position_embeddings=128,
    dropout=0.0,
    attention_dropout=0.0,
)


class Added(torch.nn.Module):
    """The experts of a layer, run once each, and nothing else."""

    def __init__(self, experts: torch.nn.ModuleList) -> None:
        super().__init__()
        self.experts = experts

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return torch.stack([expert(*args, **kwargs) for expert in self.experts]).sum(0)


def batch(rows: int = BATCH) -> Dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 2000, (rows, LENGTH), generator=generator)
    labels = torch.randint(4, 2000, (rows, TARGET), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def step(model: torch.nn.Module, before: Callable[[], None]) -> Callable[[], None]:
    """A training step. `before` sets the routes."""
    inputs = batch()
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], 1e-6)

    def run() -> None:
        before()
        optimizer.zero_grad()
        model(**inputs, use_cache=False).loss.backward()
        optimizer.step()

    return run


def ratio(one: Callable[[], Any], other: Callable[[], Any]) -> float:
    """The median of seconds of `one` by seconds of `other`, in turns."""
    one(), other()
    found = []
    for _ in range(REPEATS):
        seconds = []
        for run in (one, other):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        found.append(seconds[0] / seconds[1])
    return median(found)


def evaluation(mixed: bool, beams: int, rows: int = BATCH) -> None:
    torch.manual_seed(0)
    model = BartForConditionalGeneration(CONFIG).eval()
    holder = WholeLayers(EXPERTS, noise=0.5).inject(model)
    chosen = torch.randint(EXPERTS, (LAYERS, rows if mixed else 1)).expand(LAYERS, rows)
    routes = F.one_hot(chosen, EXPERTS).float()
    inputs = {name: tensor for name, tensor in batch(rows).items() if name != "labels"}
    settings = {"max_new_tokens": TARGET, "min_new_tokens": TARGET, "num_beams": beams, "output_scores": True}

    def run(dense: bool) -> Any:
        holder.layers = layer_routes(routes, dense)
        return model.generate(**inputs, **settings, do_sample=False, return_dict_in_generate=True)

    sparse, dense = run(False), run(True)
    difference = (torch.stack(sparse.scores) - torch.stack(dense.scores)).nan_to_num(0, 0, 0).abs().max()
    assert torch.equal(sparse.sequences, dense.sequences)
    faster = ratio(lambda: run(True), lambda: run(False))
    of = "all routes" if mixed else "one task"
    print(
        f"evaluation, {beams} beams, {rows} rows of {of}: {faster:.2f}x the dense mixture, "
        f"scores within {difference:.0e}"
    )


def training() -> None:
    torch.manual_seed(0)
    model = BartForConditionalGeneration(CONFIG)
    holder = WholeLayers(EXPERTS).inject(model)
    added = copy.deepcopy(model)
    for stack in (added.model.encoder, added.model.decoder):
        for number, layer in enumerate(stack.layers):
            assert isinstance(layer, LayerExperts)
            stack.layers[number] = Added(layer.experts)
    print(f"training, dense: {ratio(step(model, mixing(holder)), step(added, lambda: None)):.3f}x its layers, run once")


def small_experts() -> None:
    torch.manual_seed(0)
    model, plain = BartForConditionalGeneration(CONFIG), BartForConditionalGeneration(CONFIG)
    holder = LoraExperts(count=EXPERTS, r=16).inject(model)
    Lora(r=16).inject(plain)
    print(f"training, LoRA experts: {ratio(step(model, mixing(holder)), step(plain, lambda: None)):.3f}x plain LoRA")


def mixing(holder: RouteHolder) -> Callable[[], None]:
    """Routes with a gradient, the same for all rows: a batch of one task."""
    logits = torch.randn(LAYERS, 1, EXPERTS, requires_grad=True)

    def run() -> None:
        holder.layers = layer_routes(logits.softmax(-1).expand(-1, BATCH, -1))

    return run


if __name__ == "__main__":
    for mixed in (False, True):
        for beams in (1, 4):
            evaluation(mixed, beams)
    evaluation(mixed=True, beams=1, rows=64)
    training()
    small_experts()
