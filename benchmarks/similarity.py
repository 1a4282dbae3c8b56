"""
A 16 x 16 matrix of losses on a small T5, against building model and data for each pair, with texts padded as ours are
and, as published, to 512 and 64 tokens; and the gradient norms of a
target's examples in batches, against one by one. CPU seconds, in one process. Run: `python -m benchmarks.similarity`.
"""

import random
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F
from allennlp.common import Lazy, Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from transformers import AutoModelForSeq2SeqLM, T5Config

from attribution.data.dataset_readers import FewShotGymReader
from attribution.data.fields import TokenIds
from attribution.similarity import LabelledBatch, Loss, ResidentModel, Source, TargetTask, labelled_batches
from attribution.similarity.per_example_gradients import gradient_norms

tiny: Any = import_module("tests.conftest")
TASKS = [f"task{number:02d}" for number in range(16)]
EXAMPLES, PAIRS, REPEATS = 32, 4, 3
CONFIG: Dict[str, Any] = {
    "d_model": 128,
    "d_kv": 32,
    "d_ff": 256,
    "num_layers": 4,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}


def prepare(folder: Path) -> str:
    """A base model, a LoRA and a file of development examples for each task."""
    base = str(tiny.build_model("t5", folder / "base"))
    config = T5Config(vocab_size=tiny.VOCABULARY_SIZE, pad_token_id=0, eos_token_id=2, **CONFIG)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(base)
    model: Any = Model.from_params(
        Params({"type": "seq2seq", "model_name": base, "delta": {"type": "lora", "r": 10}}), vocab=Vocabulary.empty()
    )
    for task in TASKS:
        for weight in model.delta.tensors(model.transformer).values():
            torch.nn.init.normal_(weight, std=0.1)
        model.delta.save(model.transformer, folder / "deltas" / task, base)
        (folder / "gym" / task).mkdir(parents=True)
        lines = [" ".join(random.choices(tiny.WORDS, k=random.randint(10, 60))) + "\tyes\n" for _ in range(EXAMPLES)]
        (folder / "gym" / task / f"{task}_{EXAMPLES}_1_dev.tsv").write_text("".join(lines))
    return base


def build(base: str, folder: Path) -> ResidentModel:
    return ResidentModel(Lazy(Model, Params({"type": "seq2seq", "model_name": base})), folder)


def read(base: str, folder: Path, task: str) -> TargetTask:
    instances = list(FewShotGymReader(base, task=task, split="dev").read(str(folder / "gym")))
    return TargetTask(task, labelled_batches(instances, 32, task))


def matrix(base: str, folder: Path) -> List[float]:
    model = build(base, folder / "deltas" / TASKS[0])
    targets = (read(base, folder, task) for task in TASKS)
    return [
        Loss().compare(target, Source(source, folder / "deltas" / source), model, None)["model"]
        for target in targets
        for source in TASKS
    ]


def pair_by_pair(base: str, folder: Path, padded: bool) -> List[float]:
    """The first pairs only: their time is that of all, times the number of pairs over theirs."""
    scores = []
    for source in TASKS[:PAIRS]:
        path = folder / "deltas" / source
        target = read(base, folder, TASKS[0])
        if padded:
            [batch] = target.batches
            target = target._replace(batches=[LabelledBatch(_pad(batch.prompts, 512), _pad(batch.answers, 64))])
        scores.append(Loss().compare(target, Source(source, path), build(base, path), None)["model"])
    return scores


def _pad(texts: TokenIds, length: int) -> TokenIds:
    return {name: F.pad(tensor, (0, length - tensor.size(1))) for name, tensor in texts.items()}


def gradients(base: str, folder: Path, alone: bool) -> List[float]:
    model = build(base, folder / "deltas" / TASKS[0])
    [batch] = read(base, folder, TASKS[1]).batches
    batches = [batch.example(number) for number in range(EXAMPLES)] if alone else [batch]
    for warm_up in batches[:1]:
        gradient_norms(model, warm_up, lambda name: "all")
    norms = timed(lambda: torch.cat([gradient_norms(model, part, lambda name: "all")["all"] for part in batches]))
    return [norms[0], *norms[1].tolist()]


def timed(work: Callable[[], Any]) -> Tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    torch.set_num_threads(1)
    random.seed(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = prepare(folder)
        ours, scores = timed(lambda: matrix(base, folder))
        for padded in (False, True):
            theirs, slow = timed(lambda padded=padded: pair_by_pair(base, folder, padded))  # type: ignore[misc]
            torch.testing.assert_close(scores[:PAIRS], slow, rtol=1e-4, atol=0)
            theirs *= len(TASKS) ** 2 / PAIRS
            print(f"loss, {ours:.1f} s; pair by pair {'padded ' * padded}{theirs:.1f} s: {theirs / ours:.1f} times")
        for _ in range(REPEATS):
            (batched, *norms), (one_by_one, *others) = (gradients(base, folder, alone) for alone in (False, True))
            torch.testing.assert_close(norms, others, rtol=1e-5, atol=0)
            print(f"grand: {batched:.2f} s, one by one {one_by_one:.2f} s: {one_by_one / batched:.1f} times")


if __name__ == "__main__":
    main()
