"""
Texts to vectors: this package's encoder against sentence-transformers' `encode`, against the seed's batches (DEFT's
index script: file order, a budget of unpadded tokens, everything tokenised twice) and against one text at a time; and
what exact search beside it costs.

    python -m benchmarks.embedding [MODEL] [ROWS]

MODEL is a Hugging Face encoder's folder; by default the demo's (all-MiniLM-L6-v2), in .cache/demo/encoder.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import AutoModel, AutoTokenizer

from attribution.encoders import TransformerEncoder
from attribution.retrievers.exact import Nearest
from attribution.retrievers.pool import ROWS_PER_PART, PoolPart
from attribution.retrievers.retriever import Best
from benchmarks.rows import write_rows

MAX_LENGTH = 512
SEED_TOKENS = 32000
QUERIES, NEIGHBOURS = 1000, 500
ROUNDS = 3


def sentence_transformers(model: str) -> Callable[[List[str]], np.ndarray]:
    word = Transformer(model, max_seq_length=MAX_LENGTH)
    encoder = SentenceTransformer(modules=[word, Pooling(word.get_embedding_dimension(), "mean"), Normalize()])
    return lambda texts: encoder.encode(texts, batch_size=32, show_progress_bar=False)


class Seed:
    """The reference's way: batches in file order, filled by the number of unpadded tokens."""

    def __init__(self, model: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        if torch.cuda.is_available():
            self.model = self.model.cuda()

    def __call__(self, texts: List[str]) -> np.ndarray:
        vectors: List[np.ndarray] = []
        batch: List[str] = []
        tokens = 0
        for text in texts:
            length = len(self.tokenizer.tokenize(text))
            if batch and tokens + length >= SEED_TOKENS:
                vectors.append(self.encode(batch))
                batch, tokens = [], 0
            batch.append(text)
            tokens += length
        return np.concatenate([*vectors, self.encode(batch)])

    @torch.inference_mode()
    def encode(self, batch: List[str]) -> np.ndarray:
        inputs = self.tokenizer(batch, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        inputs = inputs.to(self.model.device)
        mask = inputs["attention_mask"].unsqueeze(-1)
        means = (self.model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(means, dim=-1).cpu().numpy()


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def search_cost(ours: TransformerEncoder, texts: List[str]) -> float:
    """The share of the time that finding `NEIGHBOURS` rows for `QUERIES` queries adds, part by part."""
    queries = np.random.default_rng(0).normal(size=(QUERIES, len(ours.encode(texts[:1])[0]))).astype(np.float32)
    encoded = ours.encode(texts)
    part = PoolPart(np.arange(len(texts)), texts)

    class Encoded:
        encode = staticmethod(lambda _: encoded)

    nearest = Nearest(Encoded(), queries, "inner_product", NEIGHBOURS)  # type: ignore[arg-type]
    best = Best(QUERIES, NEIGHBOURS)
    best.add(nearest(part).found)
    start = time.perf_counter()
    best.add(nearest(part).found)
    return time.perf_counter() - start


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else ".cache/demo/encoder"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS_PER_PART
    if not Path(model).is_dir():
        sys.exit(f"{model}: no such folder; make demo fetches it, or name another")
    with tempfile.TemporaryDirectory() as name:
        texts = [row["input"] for row in write_rows(Path(name) / "rows.jsonl", count)]
    ours = TransformerEncoder(model, MAX_LENGTH, normalize=True)
    ways: Dict[str, Any] = {"sentence-transformers": sentence_transformers(model), "the seed's batches": Seed(model)}
    lengths = [len(ids) for ids in AutoTokenizer.from_pretrained(model)(texts)["input_ids"]]
    print(f"{count} rows of {np.mean(lengths):.0f} tokens (longest {max(lengths)}), cut to {MAX_LENGTH}")
    ours.encode(texts[:64])
    ratios: Dict[str, List[float]] = {way: [] for way in ways}
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        mine = ours.encode(texts)
        seconds.append(time.perf_counter() - start)
        for way, encode in ways.items():
            start = time.perf_counter()
            theirs = encode(texts)
            taken = time.perf_counter() - start
            ratios[way].append(taken / seconds[-1])
            print(
                f"{way}: {count / taken:.0f} -> {count / seconds[-1]:.0f} rows/s, {ratios[way][-1]:.2f}x; "
                f"least cosine {cosines(mine, theirs).min():.6f}",
                flush=True,
            )
    for way, values in ratios.items():
        print(f"median against {way}: {median(values):.2f}x")
    sample = list(range(0, count, max(1, count // 100)))
    alone = np.concatenate([ways["the seed's batches"].encode([texts[row]]) for row in sample])
    print(f"against one text at a time: least cosine {cosines(mine[sample], alone).min():.7f} of {len(sample)}")
    cost = search_cost(ours, texts)
    print(
        f"exact top {NEIGHBOURS} of {QUERIES} queries: {cost:.2f} s beside {median(seconds):.1f} s of encoding, "
        f"{cost / median(seconds):.1%}"
    )


if __name__ == "__main__":
    main()
