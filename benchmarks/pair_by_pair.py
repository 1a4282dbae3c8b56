"""A model's own way of scoring, against one plain, padded forward over each row's pairs of prompt and option."""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, Tuple

import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from torch.nn.utils.rnn import pad_sequence
from transformers import MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM, PreTrainedModel

import attribution.models  # noqa: F401
from benchmarks.two_builds import VOCABULARY, in_turn, spread, texts

NUM_OPTIONS = 4


def mistral() -> PreTrainedModel:
    """8 layers of 512 with a window that is half of a prompt."""
    config = MistralConfig(
        vocab_size=VOCABULARY, hidden_size=512, intermediate_size=1376, num_hidden_layers=8, num_attention_heads=8,
        num_key_value_heads=8, sliding_window=128,
    )  # fmt: skip
    return MistralForCausalLM(config)


def mamba() -> PreTrainedModel:
    """4 layers of 256: nothing of a prompt can be shared by its options."""
    return MambaForCausalLM(MambaConfig(vocab_size=VOCABULARY, hidden_size=256, num_hidden_layers=4))


CASES: List[Tuple[str, Callable[[], PreTrainedModel], Tuple[int, int]]] = [
    ("Mistral, window 128", mistral, (256, 256)),
    ("Mamba", mamba, (32, 64)),
]
"""Each with the tokens of the shortest and of the longest prompt."""


def plain(model: Any, prompts: Dict[str, torch.Tensor], options: Dict[str, torch.Tensor]) -> torch.Tensor:
    """Prompt and option together, padded on the right; logits at the options' tokens only. Shape: (rows, options)."""
    transformer, scores = model.transformer, []
    each_option = unpadded(options)
    for row, prompt in enumerate(unpadded(prompts)):
        own = each_option[row * NUM_OPTIONS : (row + 1) * NUM_OPTIONS]
        pairs = [torch.cat([prompt, option]) for option in own]
        ids = pad_sequence(pairs, batch_first=True)
        mask = pad_sequence([torch.ones_like(pair) for pair in pairs], batch_first=True)
        # Shape: (options, length, width)
        states = transformer.base_model(input_ids=ids, attention_mask=mask, use_cache=False)[0]
        for state, option in zip(states, own):
            # Each token is told by the state before it.
            before = state[len(prompt) - 1 : len(prompt) - 1 + len(option)]
            log_probs = transformer.get_output_embeddings()(before).log_softmax(-1)
            scores.append(log_probs.gather(1, option[:, None]).sum())
    return torch.stack(scores).view(-1, NUM_OPTIONS)


def ours(model: Any, prompts: Dict[str, torch.Tensor], options: Dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.tensor(model(prompts, options)["scores"])


def unpadded(padded: Dict[str, torch.Tensor]) -> List[torch.Tensor]:
    return [ids[mask] for ids, mask in zip(padded["token_ids"], padded["mask"])]


def timed(function: Callable[..., torch.Tensor], *arguments: Any) -> Tuple[float, torch.Tensor]:
    """Seconds of CPU time, and what it gives."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


@torch.no_grad()
def compare_pairs(rows: int, pairs: int) -> None:
    """Prints the plain way's seconds to ours: above 1 we are the faster ones."""
    torch.set_num_threads(1)
    print(f"{rows} rows of {NUM_OPTIONS} options, CPU time, one thread, {pairs} pairs of runs")
    for name, build, lengths in CASES:
        torch.manual_seed(0)
        with TemporaryDirectory() as folder:
            build().save_pretrained(Path(folder))
            params = Params({"type": "causal_lm", "model_name": folder})
            model = Model.from_params(params, vocab=Vocabulary.empty()).eval()
        prompts = texts(spread(lengths, rows))
        options = {**texts(spread((1, 4), NUM_OPTIONS) * rows), "num_options": torch.full((rows,), NUM_OPTIONS)}
        slow, fast = (partial(timed, way, model, prompts, options) for way in (plain, ours))
        print(f"{name}, prompts of {lengths[0]} to {lengths[1]} tokens: {in_turn(slow, fast, pairs)}", flush=True)
