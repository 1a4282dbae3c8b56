"""
Mining by loss: copies that are deltas of the decoder against deep copies of the model, on the same candidates, groups
and held-out rows, with the same steps; CPU seconds, in one process and one thread. The model is a small T5 that was
taught the tasks' answers for some steps; of the tasks that candidates are of, one has the answers of the queries' own.

    python -m benchmarks.mining [CANDIDATES] [HELD_OUT] [ROUNDS]
"""

import copy
import random
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import torch
from allennlp.common import Lazy, Params
from allennlp.models import Model
from scipy.stats import spearmanr
from transformers import AutoModelForSeq2SeqLM, T5Config

from attribution.mining.loss_miner import LossMiner, _Work
from attribution.mining.tuned_copy import TunedCopy
from attribution.modules.delta import FullFineTuning
from attribution.retrievers import RandomRetriever

tiny: Any = import_module("tests.conftest")
SIZES: Any = {"d_model": 256, "d_kv": 32, "d_ff": 512, "num_layers": 4, "num_heads": 8, "decoder_start_token_id": 0}
GROUP_SIZE, TEACHING_STEPS = 20, 30
# Task -> its answers, of which the prompt's first word says which one it is.
ANSWERS = {"own": ("yes", "no"), "useful": ("yes", "no"), "colours": ("red", "blue"), "numbers": ("one", "two")}


def rows(task: str, count: int, generator: random.Random) -> List[List[str]]:
    """Prompts of 30 to 80 words."""
    found = []
    for _ in range(count):
        place = generator.randrange(2)
        words = generator.choices(tiny.WORDS, k=generator.randint(30, 80))
        found.append([" ".join([("good", "bad")[place], *words]), ANSWERS[task][place]])
    return found


class DeepCopy(TunedCopy):
    """As published: each group has a new copy of the model."""

    def restore(self) -> None:
        if not hasattr(self, "_original"):
            self._original = copy.deepcopy(self.model.transformer)
        self.model.transformer = copy.deepcopy(self._original)
        self.weights = [weight for weight in self.model.transformer.parameters() if weight.requires_grad]


def teach(model: str, generator: random.Random) -> None:
    """A few steps on all tasks but the queries' own, so that there is something to lose."""
    tuned = TunedCopy(_lazy(model), FullFineTuning(), 1e-3, 8, 1, 5, 1.0)
    texts = [row for task in ("colours", "numbers", "useful") for row in rows(task, 8 * TEACHING_STEPS // 3, generator)]
    tuned.tune(tuned.examples(texts, (160, 8)), np.random.default_rng(0))
    tuned.model.transformer.save_pretrained(model)


def _lazy(model: str) -> Any:
    return Lazy(Model, Params({"type": "seq2seq", "model_name": model, "loss": "sum", "label_smoothing": 0.1}))


def mined(work: _Work, miner: LossMiner) -> Tuple[float, np.ndarray]:
    start = time.process_time()
    losses = miner.losses(work)
    return time.process_time() - start, np.array(losses["losses"])


def main() -> None:
    torch.set_num_threads(1)
    candidates, held_out, rounds = (int(given) for given in (sys.argv[1:4] or (100, 100, 3)))
    generator = random.Random(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        model = str(tiny.build_model("t5", Path(name)))
        config = T5Config(vocab_size=tiny.VOCABULARY_SIZE, pad_token_id=0, eos_token_id=2, **SIZES)
        AutoModelForSeq2SeqLM.from_config(config).save_pretrained(model)
        teach(model, generator)
        texts = [row for task in list(ANSWERS)[1:] for row in rows(task, -(-candidates // 3), generator)][:candidates]
        work = _Work(0, rows("own", held_out, generator), texts)
        settings: Any = {
            "retriever": RandomRetriever(),
            "candidates": candidates,
            "group_size": min(GROUP_SIZE, candidates // 5),
            "rounds": rounds,
            "max_query_length": 160,
            "max_answer_length": 8,
        }
        deltas = LossMiner(_lazy(model), **settings)
        copies = LossMiner(_lazy(model), delta=FullFineTuning(), **settings)
        copies._copy = DeepCopy(copies.model, copies.delta, *copies.tuning)
        (quick, ours), (slow, theirs) = mined(work, deltas), mined(work, copies)
        print(f"{slow:.1f} s -> {quick:.1f} s of the CPU, {slow / quick:.2f}x")
        print(f"Spearman {spearmanr(ours, theirs).statistic:.3f} of {candidates} candidates, {rounds} rounds")
        print(
            f"losses {ours.min():.3f} to {ours.max():.3f} (deltas), {theirs.min():.3f} to {theirs.max():.3f} (copies)"
        )


if __name__ == "__main__":
    main()
