"""
A 16 x 16 matrix of losses on a small T5, against building model and data for each pair, with a target's examples as one
batch, padded to the longest and, as published, to 512 and 64 tokens; and the gradient norms of a target's examples in
batches, against one by one, of four kinds of delta. CPU seconds, in one process: `python -m benchmarks.similarity`.
"""

import random
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from allennlp.common import Lazy, Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from transformers import AutoModelForSeq2SeqLM, T5Config

from attribution.data.dataset_readers import FewShotGymReader
from attribution.data.fields import TokenIds, pad_token_ids
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
    "feed_forward_proj": "gelu",  # Beside the kink of a relu gradients depend on rounding.
}
METHODS: Dict[str, Dict[str, Any]] = {
    "lora": {"r": 10},
    "ia3": {},
    "prefix": {"num_virtual_tokens": 30, "hidden_size": 24, "encoder": True},
    "prompt": {"num_virtual_tokens": 30},
}


def prepare(folder: Path) -> str:
    """A base model, a LoRA and a file of development examples for each task."""
    base = str(tiny.build_model("t5", folder / "base"))
    config = T5Config(vocab_size=tiny.VOCABULARY_SIZE, pad_token_id=0, eos_token_id=2, **CONFIG)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(base)
    for task in TASKS:
        _save_delta(base, folder / "deltas" / task, "lora")
        (folder / "gym" / task).mkdir(parents=True)
        lines = [" ".join(random.choices(tiny.WORDS, k=random.randint(10, 60))) + "\tyes\n" for _ in range(EXAMPLES)]
        (folder / "gym" / task / f"{task}_{EXAMPLES}_1_dev.tsv").write_text("".join(lines))
    for method in METHODS:
        _save_delta(base, folder / "methods" / method, method)
    return base


def _save_delta(base: str, folder: Path, method: str) -> None:
    delta = {"type": method, **METHODS[method]}
    model: Any = Model.from_params(
        Params({"type": "seq2seq", "model_name": base, "delta": delta}), vocab=Vocabulary.empty()
    )
    for weight in model.delta.tensors(model.transformer).values():
        torch.nn.init.normal_(weight, std=0.1)
    model.delta.save(model.transformer, folder, base)


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
        prompts, answers = _one_batch(target)
        if padded:
            prompts, answers = _pad(prompts, 512), _pad(answers, 64)
        target = target._replace(batches=[LabelledBatch(prompts, answers)])
        scores.append(Loss().compare(target, Source(source, path), build(base, path), None)["model"])
    return scores


def _one_batch(target: TargetTask) -> LabelledBatch:
    """All examples, padded to the longest."""
    sides = [[text["token_ids"][0].tolist() for text in example] for example in _one_by_one(target.batches)]
    prompts, answers = (pad_token_ids(texts, 0) for texts in zip(*sides))
    return LabelledBatch(prompts, answers)


def _one_by_one(batches: Sequence[LabelledBatch]) -> List[LabelledBatch]:
    return [batch.example(number) for batch in batches for number in range(len(batch.prompts["mask"]))]


def _pad(texts: TokenIds, length: int) -> TokenIds:
    return {name: F.pad(tensor, (0, length - tensor.size(1))) for name, tensor in texts.items()}


def gradients(base: str, folder: Path, method: str, alone: bool) -> List[float]:
    model = build(base, folder / "methods" / method)
    batches = read(base, folder, TASKS[1]).batches
    if alone:
        batches = _one_by_one(batches)
    gradient_norms(model, batches[0], lambda name: "all")
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
        for method in [*METHODS] * REPEATS:
            (batched, *norms), (alone, *others) = (gradients(base, folder, method, alone) for alone in (False, True))
            torch.testing.assert_close(norms, others, rtol=1e-5, atol=0)
            times = f"{batched:.2f} s, one by one {alone:.2f} s: {alone / batched:.1f} times"
            print(f"grand_per_example, {method}: {times}")


if __name__ == "__main__":
    main()
