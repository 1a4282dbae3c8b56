"""
16 x 1,024 pairs of real prompts through a cross-encoder: this package's reranker against sentence-transformers'
`CrossEncoder.predict`, with the same model, dtype and truncation, and whether both put the candidates in the same
order. CPU seconds, in one process and one thread; some queries at a time, by one and then by the other.

    python -m benchmarks.rerank [ENCODER] [QUERIES] [CANDIDATES] [MAX_LENGTH] [LAYERS]

ENCODER is a BERT's folder, by default the demo's (all-MiniLM-L6-v2), in .cache/demo/encoder; of its layers the first
two, as small public cross-encoders have, get a new head of one logit. Pairs are cut to 128 tokens. The prompts are the
first of the P3 pool below ATTRIBUTION_SHARED_DATA, or made up.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, List

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from attribution.rerankers import CrossEncoderReranker
from benchmarks.rows import write_rows

DEFAULTS = (16, 1024, 128, 2)
QUERIES_AT_A_TIME = 2


def classifier(encoder: str, layers: int, folder: Path) -> str:
    torch.manual_seed(0)
    settings: Any = {"num_labels": 1, "num_hidden_layers": layers, "dtype": torch.float32}
    model: Any = AutoModelForSequenceClassification.from_pretrained(encoder, **settings)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(folder)
    return str(folder)


def order(scores: np.ndarray) -> np.ndarray:
    """The candidates, best first. Shape: (candidates,)."""
    return np.argsort(-scores.mean(0), kind="stable")


def main() -> None:
    torch.set_num_threads(1)
    encoder = sys.argv[1] if len(sys.argv) > 1 else ".cache/demo/encoder"
    given = [int(number) for number in sys.argv[2:6]]
    queries, candidates, max_length, layers = [*given, *DEFAULTS[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        rows = write_rows(Path(name) / "rows.jsonl", queries + candidates)
        texts = [row["input"] for row in rows]
        asked, found = texts[:queries], texts[queries:]
        model = classifier(encoder, layers, Path(name) / "model")
        ours = CrossEncoderReranker(model, candidates, 1.0, max_length=max_length)
        theirs = CrossEncoder(model, max_length=max_length, activation_fn=torch.nn.Identity(), device=str(ours.device))
        ours.score(asked[:1], found[:8])
        theirs.predict([(asked[0], text) for text in found[:8]])
        mine: List[np.ndarray] = []
        other: List[np.ndarray] = []
        seconds: List[List[float]] = []
        for first in range(0, queries, QUERIES_AT_A_TIME):
            some = asked[first : first + QUERIES_AT_A_TIME]
            pairs = [(query, text) for query in some for text in found]
            start = time.process_time()
            mine.append(ours.score(some, found))
            middle = time.process_time()
            other.append(theirs.predict(pairs, batch_size=32, show_progress_bar=False).reshape(mine[-1].shape))
            end = time.process_time()
            seconds.append([middle - start, end - middle])
            print(f"{len(pairs)} pairs: {end - middle:.1f} s -> {middle - start:.1f} s", flush=True)
    scores, reference = np.concatenate(mine), np.concatenate(other)
    ratios = [slow / quick for quick, slow in seconds]
    quick, slow = np.sum(seconds, axis=0)
    print(
        f"{scores.size} pairs, {max_length} tokens, {layers} layers: {slow:.0f} s -> {quick:.0f} s, {slow / quick:.2f}x"
    )
    print(f"median {median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")
    same = order(scores) == order(reference)
    inversion = np.diff(reference.mean(0)[order(scores)]).max()
    print(
        f"largest difference {np.abs(scores - reference).max():.1e}; {same.mean():.1%} in the same place, the others "
        f"behind one with a score that is lower by at most {max(inversion, 0):.1e}"
    )


if __name__ == "__main__":
    main()
