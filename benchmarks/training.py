"""
Rows per second of a training epoch on rows of mixed length: `allennlp train` with `token_budget` batches against the
Hugging Face `Seq2SeqTrainer` grouping by length, at the same tokens a step, paired in one run. Run:
`python -m benchmarks.training`.
"""

import json
import logging
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Dict, List

import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    T5Config,
)

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.samplers import TokenBudgetBatchSampler
from benchmarks.rows import write_model, write_rows

ROWS, BUDGET, MAX_LENGTH = 600, 2048, 256
logging.disable(logging.WARNING)


def real_tokens(loader: MultiProcessDataLoader) -> float:
    """Tokens that are not padding, of a mean step."""
    batches: List[Any] = list(loader)
    return sum(int(b[name]["mask"].sum()) for b in batches for name in ("prompt_and_input", "answer_options")) / len(
        batches
    )


def ours(model: str, rows: str, folder: Path) -> float:
    """Rows per second, from the training's own duration."""
    params = {
        "dataset_reader": {"type": "p3_jsonl", "model_name": model, "max_query_length": MAX_LENGTH},
        "train_data_path": rows,
        "vocabulary": {"type": "empty"},
        "model": {"type": "seq2seq", "model_name": model, "random_weights": True},
        "data_loader": {"batch_sampler": {"type": "token_budget", "max_tokens": BUDGET}, "quiet": True},
        "trainer": {
            "num_epochs": 1,
            "optimizer": {"type": "adamw", "lr": 1e-4},
            "cuda_device": -1,
            "enable_default_callbacks": False,
            "checkpointer": {"save_completed_epochs": False},
        },
    }
    train_model(Params(params), str(folder), return_model=False)
    hours, minutes, seconds = json.loads((folder / "metrics.json").read_text())["training_duration"].split(":")
    return ROWS / (int(hours) * 3600 + int(minutes) * 60 + float(seconds))


def hugging_face(model: str, rows: List[Dict[str, Any]], batch_size: int, folder: Path) -> float:
    tokenizer = AutoTokenizer.from_pretrained(model)
    data = []
    for row in rows:
        encoded = tokenizer(row["input"], truncation=True, max_length=MAX_LENGTH)
        labels = tokenizer(row["target"], truncation=True, max_length=256)["input_ids"]
        data.append({"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "labels": labels})
    network = AutoModelForSeq2SeqLM.from_config(T5Config.from_pretrained(model))
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=batch_size,
        num_train_epochs=1,
        learning_rate=1e-4,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        **_grouping(),
    )
    trainer = Seq2SeqTrainer(
        model=network, args=arguments, train_dataset=data, data_collator=DataCollatorForSeq2Seq(tokenizer, network)
    )  # type: ignore[arg-type]
    return len(rows) / trainer.train().metrics["train_runtime"]


def _grouping() -> Dict[str, Any]:
    # transformers 5 renamed it.
    new = "train_sampling_strategy" in Seq2SeqTrainingArguments.__dataclass_fields__
    return {"train_sampling_strategy": "group_by_length"} if new else {"group_by_length": True}


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_rows(folder / "rows.jsonl", ROWS)
        shape = {"d_model": 256, "d_kv": 32, "d_ff": 1024, "num_layers": 4, "num_heads": 8}
        model = write_model(folder / "model", rows, **shape)
        reader = P3JsonlReader(model, max_query_length=MAX_LENGTH)
        sampler = TokenBudgetBatchSampler(BUDGET)
        loader = MultiProcessDataLoader(reader, str(folder / "rows.jsonl"), batch_sampler=sampler, quiet=True)
        loader.index_with(Vocabulary.empty())
        batch_size = round(ROWS / len(loader))
        print(
            f"{ROWS} rows, {len(loader)} steps of {real_tokens(loader):.0f} tokens against batches of {batch_size} rows"
        )
        ratios = []
        for number in range(3):
            theirs = hugging_face(model, rows, batch_size, folder / f"hf{number}")
            mine = ours(model, str(folder / "rows.jsonl"), folder / f"ours{number}")
            ratios.append(mine / theirs)
            print(f"{theirs:.1f} -> {mine:.1f} rows/s: {ratios[-1]:.2f}x", flush=True)
        print(f"median {median(ratios):.2f}x")


if __name__ == "__main__":
    main()
