"""
16 x 1,024 pairs through a cross-encoder of MiniLM's size (random weights): this package's reranker against
sentence-transformers' `CrossEncoder.predict`, with the same model, dtype and truncation. CPU seconds, in one process
and one thread.

    python -m benchmarks.rerank [QUERIES] [CANDIDATES] [MODEL]

MODEL is a sequence classifier's folder; by default one is made.
"""

import random
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, List

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from attribution.rerankers import CrossEncoderReranker

tiny: Any = import_module("tests.conftest")
MINILM = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
MAX_LENGTH, ROUNDS = 512, 3


def texts(count: int, generator: random.Random) -> List[str]:
    """Of lengths as prompts have: a median of 90 words, some of several hundred."""
    lengths = [min(600, round(generator.lognormvariate(4.5, 0.6))) for _ in range(count)]
    return [" ".join(generator.choices(tiny.WORDS, k=length)) for length in lengths]


def order(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores.mean(0), kind="stable")


def main() -> None:
    torch.set_num_threads(1)
    queries, candidates = (int(given) for given in (sys.argv[1:3] or (16, 1024)))
    generator = random.Random(0)
    first, second = texts(queries, generator), texts(candidates, generator)
    pairs = [(query, text) for query in first for text in second]
    with tempfile.TemporaryDirectory() as name:
        model = sys.argv[3] if len(sys.argv) > 3 else tiny.build_classifier(Path(name), 1, **MINILM)
        theirs = CrossEncoder(model, max_length=MAX_LENGTH, activation_fn=torch.nn.Identity())
        ours = CrossEncoderReranker(model, candidates, 1.0, max_length=MAX_LENGTH)
        ours.score(first[:1], second[:8])
        theirs.predict(pairs[:8])
        ratios = []
        for _ in range(ROUNDS):
            start = time.process_time()
            mine = ours.score(first, second)
            middle = time.process_time()
            other = theirs.predict(pairs, batch_size=32, show_progress_bar=False).reshape(mine.shape)
            end = time.process_time()
            ratios.append((end - middle) / (middle - start))
            same = (order(mine) == order(other)).mean()
            print(
                f"{len(pairs)}: {len(pairs) / (end - middle):.0f} -> {len(pairs) / (middle - start):.0f} pairs/s, "
                f"{ratios[-1]:.2f}x; largest difference {np.abs(mine - other).max():.1e}, {same:.1%} in the same place",
                flush=True,
            )
        print(f"median {median(ratios):.2f}x")


if __name__ == "__main__":
    main()
