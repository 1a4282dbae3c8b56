"""
Rank classification by two builds of this package, each in a process of its own: what a change costs.

The processes take turns, one at a time, with one thread each. They share the libraries and the models' files, and use
of the package only what is stable: the registered model and its `forward`. Run as a program, this is such a process.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 4000
NUM_OPTIONS = (2, 4, 10)
PROMPT_TOKENS = (64, 256)
OPTION_TOKENS = (1, 4)


def t5() -> PreTrainedModel:
    """T5-v1.1-small's shape."""
    config = T5Config(  # type: ignore[call-arg]
        d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6, vocab_size=VOCABULARY,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight.data.mul_(512**-0.5)  # Logits of unit scale: at initialisation T5's are 22 times that.
    return model


def bart() -> PreTrainedModel:
    """BART-base's shape with half of its layers."""
    config = BartConfig(vocab_size=VOCABULARY, d_model=768, encoder_layers=3, decoder_layers=3,
        encoder_attention_heads=12, decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072,
    )  # fmt: skip
    return BartForConditionalGeneration(config)


def llama() -> PreTrainedModel:
    """8 layers of 512."""
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=512, intermediate_size=1376, num_hidden_layers=8, num_attention_heads=8
    )
    return LlamaForCausalLM(config)


SHAPES: Dict[str, Tuple[str, Callable[[], PreTrainedModel]]] = {
    "T5": ("seq2seq", t5),
    "BART": ("seq2seq", bart),
    "Llama": ("causal_lm", llama),
}


def texts(lengths: List[int]) -> Dict[str, torch.Tensor]:
    """Random token ids, padded to the longest. Shapes: (texts, length)."""
    ids = [torch.randint(4, VOCABULARY, (length,)) for length in lengths]
    mask = [torch.ones(length, dtype=torch.bool) for length in lengths]
    return {"token_ids": pad_sequence(ids, batch_first=True), "mask": pad_sequence(mask, batch_first=True)}


def spread(bounds: Tuple[int, int], count: int) -> List[int]:
    """Whole numbers from one bound to the other."""
    return torch.linspace(*bounds, count).round().long().tolist()


def make_batch(rows: int, num_options: int) -> Dict[str, Any]:
    """As the readers make it: rows of unequal lengths, each with so many options."""
    torch.manual_seed(num_options)
    options: Dict[str, torch.Tensor] = texts(spread(OPTION_TOKENS, num_options) * rows)
    return {
        "prompt_and_input": texts(spread(PROMPT_TOKENS, rows)),
        "answer_options": {**options, "num_options": torch.full((rows,), num_options)},
        "correct_answer_index": torch.zeros(rows, dtype=torch.long),
    }


class Worker:
    """A resident process with the `attribution` of one checkout, and every shape's model."""

    def __init__(self, checkout: Path, models: Path, rows: int) -> None:
        # `python -m` would take this very module from the checkout, which may not have it.
        run_file = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
        self.checkout = checkout
        self._process = subprocess.Popen(
            [sys.executable, "-c", run_file, __file__, str(checkout), str(models), str(rows)],
            cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def score(self, shape: str, num_options: int) -> Tuple[float, torch.Tensor]:
        """Seconds of CPU time, and the options' scores: (rows, options)."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([shape, num_options]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # Then it has no answer, either.
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the build in {self.checkout} ended: see above")
        seconds, scores = json.loads(answer)
        return seconds, torch.tensor(scores, dtype=torch.float64)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Comparison(NamedTuple):
    """Two ways, called in turn."""

    ratios: List[float]
    """The first's seconds to the second's, pair by pair."""
    seconds: Tuple[float, float]
    """The median of each."""
    difference: float
    """The largest one of all scores."""

    def __str__(self) -> str:
        return (
            f"{median(self.ratios):.3f}x (min {min(self.ratios):.3f}, max {max(self.ratios):.3f}), "
            f"{self.seconds[0]:.3f} s -> {self.seconds[1]:.3f} s; largest difference {self.difference:.1e}"
        )


def in_turn(first: Callable[[], Any], second: Callable[[], Any], pairs: int) -> Comparison:
    """Each gives its seconds and its scores. They are called once before, and take turns in going first."""
    (_, one), (_, other) = first(), second()
    seconds: Tuple[List[float], List[float]] = ([], [])
    for number in range(pairs):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            seconds[place].append((first, second)[place]()[0])
    ratios = [slow / fast for slow, fast in zip(*seconds)]
    return Comparison(ratios, (median(seconds[0]), median(seconds[1])), float((one - other).abs().max()))


def compare_builds(other: Path, rows: int, pairs: int) -> None:
    """Prints the other's seconds to ours: above 1 we are the faster ones."""
    ours = Path(__file__).parents[1]
    print(f"{other.resolve()} against {ours}: {rows} rows of {PROMPT_TOKENS[0]} to {PROMPT_TOKENS[1]} tokens, "
          f"CPU time, one thread, {pairs} pairs")  # fmt: skip
    with TemporaryDirectory() as folder:
        for name, (_, build) in SHAPES.items():
            torch.manual_seed(0)
            build().save_pretrained(Path(folder) / name)
        workers = [Worker(checkout.resolve(), Path(folder), rows) for checkout in (other, ours)]
        for name in SHAPES:
            for count in NUM_OPTIONS:
                old, new = (partial(worker.score, name, count) for worker in workers)
                print(f"{name:>5}, {count:2d} options: {in_turn(old, new, pairs)}", flush=True)
        for worker in workers:
            worker.close()


def work() -> None:
    """Answers each line of input: a shape and a number of options."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Whatever libraries print is no answer.
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("rows", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    from allennlp.common import Params
    from allennlp.common.util import import_module_and_submodules
    from allennlp.data import Vocabulary
    from allennlp.models import Model

    import attribution

    if arguments.checkout not in Path(attribution.__file__).parents:
        raise SystemExit(f"attribution is that of {attribution.__file__}, not that of {arguments.checkout}")
    import_module_and_submodules("attribution.models")
    models: Dict[str, Any] = {}
    for line in sys.stdin:
        name, num_options = json.loads(line)
        if name not in models:
            params = Params({"type": SHAPES[name][0], "model_name": str(arguments.models / name)})
            models[name] = Model.from_params(params, vocab=Vocabulary.empty()).eval()
        batch = make_batch(arguments.rows, num_options)
        with torch.no_grad():
            start = time.process_time()
            output = models[name](**batch)
            seconds = time.process_time() - start
        print(json.dumps([seconds, output["scores"]]), file=answers, flush=True)


if __name__ == "__main__":
    work()
