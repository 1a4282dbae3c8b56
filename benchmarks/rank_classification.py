"""
Rank classification: this package's way against the reference's, same model and rows, paired in one run.

The reference (DEFT's model.py) runs the whole encoder-decoder once for the loss and then, row by row, once more with
the input repeated for every option. Run:
`python -m benchmarks.rank_classification`.

With `--against FOLDER` it is the build of this package in FOLDER, another checkout, against this one; with `--pairs`
what a model is asked for against one plain forward over each row's pairs of prompt and option.
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from transformers import T5Config, T5ForConditionalGeneration

from attribution.models.reading import Reading, choose_reading, option_log_probs
from benchmarks.pair_by_pair import compare_pairs
from benchmarks.two_builds import compare_builds

PROMPT_TOKENS, OPTION_TOKENS = 256, 4


def t5_v1_1_small() -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = T5Config(  # type: ignore[call-arg]
        d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6, vocab_size=32128,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    model.lm_head.weight.data.mul_(512**-0.5)  # Logits of unit scale: at initialisation T5's are 22 times that.
    return model


def reference(model: Any, prompts: Any, options: Any, num_options: int) -> Tuple[torch.Tensor, torch.Tensor]:
    """The loss of each row's first option, then one full pass per option."""
    token_ids, mask = prompts["token_ids"], prompts["mask"].long()
    rows = options["token_ids"].view(len(token_ids), num_options, -1)
    loss = model(input_ids=token_ids, attention_mask=mask, labels=rows[:, 0].contiguous()).loss
    scores = []
    for prompt, prompt_mask, row in zip(token_ids, mask, rows):
        logits = model(
            input_ids=prompt.expand(num_options, -1), attention_mask=prompt_mask.expand(num_options, -1), labels=row
        ).logits
        scores.append(-F.cross_entropy(logits.transpose(1, 2), row, reduction="none").sum(1))
    return torch.cat(scores), loss


def ours(reading: Reading, prompts: Any, options: Any, num_options: int) -> Tuple[torch.Tensor, torch.Tensor]:
    counts = torch.full((len(prompts["token_ids"]),), num_options)
    log_probs = option_log_probs(reading.read(prompts, options), options, counts, max_tokens=65536)
    return log_probs.sum(1), -log_probs[::num_options].mean()


def timed(function: Callable[..., Any], *arguments: Any) -> Tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def difference(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    """The largest one of all scores and losses."""
    return max(float((a - b).abs().max()) for a, b in zip(one, other))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--repeats", type=int, help="pairs of runs: by default 5, or 11 with --against and --pairs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--against", type=Path, metavar="FOLDER")
    what.add_argument("--pairs", action="store_true")
    arguments = parser.parse_args()
    if arguments.against is not None:
        compare_builds(arguments.against, arguments.rows, arguments.repeats or 11)
    elif arguments.pairs:
        compare_pairs(arguments.rows, arguments.repeats or 11)
    else:
        compare_reference(arguments.rows, arguments.repeats or 5)


@torch.inference_mode()
def compare_reference(rows: int, repeats: int) -> None:
    model = t5_v1_1_small()
    reading = choose_reading(model, "T5")
    print(f"T5-v1.1-small shape, {PROMPT_TOKENS}-token inputs, {OPTION_TOKENS}-token options, CPU,"
          f" {torch.get_num_threads()} threads, {rows} rows, {repeats} pairs")  # fmt: skip
    for num_options in (2, 4, 10):
        prompt_ids = torch.randint(2, 32000, (rows, PROMPT_TOKENS))
        option_ids = torch.randint(2, 32000, (rows * num_options, OPTION_TOKENS))
        prompts, options = (
            {"token_ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)} for ids in (prompt_ids, option_ids)
        )
        work: Tuple[Any, ...] = (prompts, options, num_options)
        _, slow = timed(reference, model, *work)
        _, fast = timed(ours, reading, *work)
        ratios: List[float] = []
        seconds: Dict[str, List[float]] = {"reference": [], "ours": []}
        for _ in range(repeats):
            seconds["reference"].append(timed(reference, model, *work)[0])
            seconds["ours"].append(timed(ours, reading, *work)[0])
            ratios.append(seconds["reference"][-1] / seconds["ours"][-1])
        exact_slow, exact_fast = reference(model.double(), *work), ours(reading, *work)
        model.float()
        print(
            f"{num_options:2d} options: {median(ratios):.2f}x (min {min(ratios):.2f}, max {max(ratios):.2f}), "
            f"{median(seconds['reference']):.2f} s -> {median(seconds['ours']):.2f} s; "
            f"largest difference {difference(slow, fast):.1e} in float32, "
            f"{difference(exact_slow, exact_fast):.1e} in float64"
        )


if __name__ == "__main__":
    main()
