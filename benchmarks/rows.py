"""Rows and a tokenizer for the benchmarks: real prompted rows where the machine has them, made-up ones elsewhere."""

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any, Dict, Iterator, List

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config

VOCABULARY = 8000


def pool_path() -> str:
    """The 118,000 real rows of 34 tasks, or an empty text."""
    path = Path(os.environ.get("ATTRIBUTION_SHARED_DATA", "")) / "p3" / "pool.jsonl.gz"
    return str(path) if path.exists() else ""


def _rows() -> Iterator[Dict[str, Any]]:
    if pool_path():
        with gzip.open(pool_path(), "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                yield {"input": row["input"], "target": row["target"]}
    else:
        words = ["a", "b"] * 50 + [f"word{number}" for number in range(5000)]
        generator = random.Random(0)
        while True:
            length = int(generator.lognormvariate(4.3, 0.9)) + 3
            yield {"input": " ".join(generator.choices(words, k=length)), "target": generator.choice(words)}


def write_rows(path: Path, count: int) -> List[Dict[str, Any]]:
    """The first `count` rows, also written to `path`."""
    rows = [row for row, _ in zip(_rows(), range(count))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def write_model(folder: Path, rows: List[Dict[str, Any]], **shape: Any) -> str:
    """A T5 configuration of the given shape with a byte-level tokenizer learnt from the rows."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # type: ignore
    tokenizer.train_from_iterator((row["input"] for row in rows), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    T5Config(vocab_size=VOCABULARY, decoder_start_token_id=0, **shape).save_pretrained(folder)  # type: ignore[call-arg]
    return str(folder)
