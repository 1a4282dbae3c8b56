"""
Peak memory of `exact` retrieval while encoding, over 10,000 and 100,000 rows: 1,000 queries, 500 neighbours, a tiny
random encoder (what is measured is what is held, not what is computed).

    python -m benchmarks.retrieval_memory
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict

from transformers import BertConfig, BertModel

from attribution.encoders import TransformerEncoder
from attribution.retrievers import ExactRetriever, Pool
from benchmarks.rows import VOCABULARY, write_model, write_rows

SIZES = (10_000, 100_000)
QUERIES, NEIGHBOURS = 1000, 500


def retrieve(pool: str, model: str) -> None:
    """In a process of its own: prints its peak memory in MiB."""
    rows = Pool(pool)
    queries = [row.content["input"] for row in rows.rows.take(range(QUERIES))]
    encoder = TransformerEncoder(model, max_length=512)
    found = ExactRetriever(encoder).retrieve(rows, queries, NEIGHBOURS)
    assert (found.ids >= 0).all()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peaks = []
        for size in SIZES:
            rows = write_rows(folder / f"{size}.jsonl", size)
            if size == SIZES[0]:
                write_model(folder / "model", rows)
                shape: Dict[str, Any] = {
                    "hidden_size": 8,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 1,
                    "intermediate_size": 8,
                }
                BertModel(BertConfig(vocab_size=VOCABULARY, **shape)).save_pretrained(folder / "model")
            command = [sys.executable, "-m", "benchmarks.retrieval_memory", str(folder / f"{size}.jsonl")]
            run = subprocess.run([*command, str(folder / "model")], stdout=subprocess.PIPE, text=True, check=True)
            peaks.append(int(run.stdout))
            print(f"{size} rows: peak {peaks[-1]} MiB", flush=True)
    print(f"growth: {peaks[-1] - peaks[0]} MiB")


if __name__ == "__main__":
    retrieve(*sys.argv[1:]) if len(sys.argv) > 1 else main()
