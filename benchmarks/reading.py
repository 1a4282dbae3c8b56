"""
Rows to padded batches: this package's reader against one built on `PretrainedTransformerTokenizer` and `TextField`,
paired in one run; bytes held per token; peak memory of lazy reading. Run: `python -m benchmarks.reading`.
"""

import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median
from typing import Any, Iterable, List

from allennlp.data import DatasetReader, Instance, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.fields import IndexField, ListField, TextField
from allennlp.data.token_indexers import PretrainedTransformerIndexer
from allennlp.data.tokenizers import PretrainedTransformerTokenizer

from attribution.data.dataset_readers import P3JsonlReader
from benchmarks.rows import pool_path, write_model, write_rows

logging.disable(logging.WARNING)


class TokenReader(DatasetReader):
    """How AllenNLP readers of transformer input are built, DEFT's among them: an object for each token."""

    def __init__(self, model_name: str) -> None:
        super().__init__()
        self.tokenizer = PretrainedTransformerTokenizer(model_name)
        self.indexers = {"tokens": PretrainedTransformerIndexer(model_name)}

    def _read(self, file_path: str) -> Iterable[Instance]:
        with open(file_path, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                options = ListField([TextField(self.tokenizer.tokenize(row["target"])[:256])])
                yield Instance(
                    {
                        "prompt_and_input": TextField(self.tokenizer.tokenize(row["input"])[:512]),
                        "answer_options": options,
                        "correct_answer_index": IndexField(0, options),
                    }
                )

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["prompt_and_input"].token_indexers = self.indexers  # type: ignore[attr-defined]
        for option in instance["answer_options"].field_list:  # type: ignore[attr-defined]
            option.token_indexers = self.indexers


def seconds(reader: DatasetReader, path: str) -> float:
    """To read all rows and make batches of 32 of them, once."""
    start = time.perf_counter()
    loader = MultiProcessDataLoader(reader, path, batch_size=32, quiet=True)
    loader.index_with(Vocabulary.empty())
    for _batch in loader:
        pass
    return time.perf_counter() - start


def bytes_per_token(reader: DatasetReader, path: str) -> float:
    """What the instances of a file hold, over the tokens in it."""
    tracemalloc.start()
    instances = list(reader.read(path))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / sum(_tokens(instance) for instance in instances)


def _tokens(instance: Instance) -> int:
    fields: List[Any] = [instance["prompt_and_input"]]
    options: Any = instance["answer_options"]
    return len(fields[0]) + (sum(options.lengths) if hasattr(options, "lengths") else sum(map(len, options.field_list)))


def peak_of_lazy_reading(model: str, path: str, rows: int) -> None:
    """Prints the process's peak memory after reading so many rows, 1,024 in memory at a time."""
    reader = P3JsonlReader(model, max_instances=rows)
    loader = MultiProcessDataLoader(reader, path, batch_size=32, max_instances_in_memory=1024, quiet=True)
    loader.index_with(Vocabulary.empty())
    read = sum(len(batch["row"]) for batch in loader)
    print(f"{read:7,d} rows: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    if sys.argv[1:2] == ["lazy"]:
        peak_of_lazy_reading(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.jsonl")
        model = write_model(Path(folder) / "model", write_rows(Path(path), 2000))
        ours, theirs = P3JsonlReader(model), TokenReader(model)
        seconds(ours, path), seconds(theirs, path)
        pairs = [(seconds(theirs, path), seconds(ours, path)) for _ in range(5)]
        ratios = [slow / fast for slow, fast in pairs]
        print(f"2,000 rows read and batched: {median(ratios):.1f}x (min {min(ratios):.1f}, max {max(ratios):.1f}),"
              f" {median(p[0] for p in pairs):.2f} s -> {median(p[1] for p in pairs):.2f} s")  # fmt: skip
        print(f"bytes held per token: {bytes_per_token(theirs, path):.0f} -> {bytes_per_token(ours, path):.1f}")
        print("peak memory of lazy reading:")
        everything = pool_path() or path
        for rows in (10_000, 118_000):
            subprocess.run(
                [sys.executable, "-m", "benchmarks.reading", "lazy", model, everything, str(rows)], check=True
            )


if __name__ == "__main__":
    main()
