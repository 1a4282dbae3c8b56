"""
All 32 leave-one-out merges of 32 adapters of T5-base's size (240 tensors, 6 million values each): CPU time against the
published algorithm, peak memory, and speed against plainly reading and writing the same bytes, both from and to the
disk (sources that are not in memory, files that are on the disk at the end) and within the page cache. Run:
`python -m benchmarks.ensemble`; it wants 1.6 GB below TMPDIR.
"""

import copy
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from attribution.common.manifest import fingerprint
from attribution.ensembling import (
    DeltaFolder,
    EnsembleWeights,
    LinearMerger,
    SoftmaxWeighting,
    leave_one_out_weights,
    merge_deltas,
)
from attribution.similarity import SimilarityMatrix

TASKS = [f"task{number:02d}" for number in range(32)]
TENSORS, VALUES = 240, 25_000
WEIGHTS = "adapter_model.safetensors"
PAIRS = 5


def write_adapters(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for task in TASKS:
        (folder / task).mkdir(parents=True)
        tensors = {}
        for number in range(TENSORS):
            name = f"base_model.model.encoder.block.{number // 20}.{number % 20}.adapter.weight"
            tensors[name] = torch.randn(VALUES // 768 + 1, 768, generator=generator).flatten()[:VALUES].view(25, -1)
        save_file(tensors, folder / task / WEIGHTS, metadata={"format": "pt"})
        (folder / task / "adapter_config.json").write_text(json.dumps({"peft_type": "HOULSBY"}))


def softmax_weights() -> EnsembleWeights:
    scores = np.random.default_rng(0).normal(size=(len(TASKS), len(TASKS)))
    matrix = SimilarityMatrix(TASKS, TASKS, scores, False, "model")
    return leave_one_out_weights(SoftmaxWeighting(0.1), TASKS, TASKS, matrix)


def ours(sources: Path, target: Path) -> None:
    folders = [target / task for task in TASKS]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    merge_deltas([DeltaFolder(sources / task) for task in TASKS], softmax_weights(), LinearMerger(), folders)


def published(sources: Path, target: Path) -> None:
    """Everything loaded once; for each target all states copied, and summed source by source, tensor by tensor."""
    states = {task: load_file(sources / task / WEIGHTS) for task in TASKS}
    weights = softmax_weights().values
    for number, task in enumerate(TASKS):
        copies = copy.deepcopy(states)
        merged: Dict[str, torch.Tensor] = {}
        for other, source in enumerate(TASKS):
            if source != task:
                for name, values in copies[source].items():
                    part = values * float(weights[number, other])
                    merged[name] = merged[name] + part if name in merged else part
        (target / task).mkdir(parents=True, exist_ok=True)
        save_file(merged, target / task / WEIGHTS, metadata={"format": "pt"})


def plain(sources: Path, target: Path) -> None:
    """The same bytes read and written, one tensor's at a time."""
    memory = memoryview(bytearray(VALUES * 4))
    for task in TASKS:
        (target / task).mkdir(parents=True, exist_ok=True)
        with (
            open(sources / task / WEIGHTS, "rb", buffering=0) as source,
            open(target / task / WEIGHTS, "wb", buffering=0) as copied,
        ):
            while count := source.readinto(memory):
                copied.write(memory[:count])


WAYS: Dict[str, Callable[[Path, Path], None]] = {"ours": ours, "published": published, "plain": plain}


def flush(folder: Path, forget: bool) -> None:
    """To the disk with all files; and out of the page cache."""
    for path in folder.rglob(WEIGHTS):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        if forget:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(way: str, place: str, sources: str, target: str) -> None:
    """In a process of its own: prints seconds, CPU seconds and the peak memory in MiB."""
    if place == "disk":
        flush(Path(sources), forget=True)
    torch.set_num_threads(1)  # Threads that wait for each other count as CPU time.
    start, cpu = time.perf_counter(), time.process_time()
    WAYS[way](Path(sources), Path(target))
    if place == "disk":
        flush(Path(target), forget=False)
    taken = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps([*taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def run(way: str, place: str, sources: Path) -> Tuple[float, float, float]:
    """Into an empty folder."""
    with tempfile.TemporaryDirectory(dir=sources.parent) as target:
        command = [sys.executable, "-m", "benchmarks.ensemble", way, place, str(sources), target]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        if way == "ours":
            check(sources, Path(target))
    return tuple(json.loads(output.splitlines()[-1]))


def check(sources: Path, target: Path) -> None:
    """One merged delta, as the safetensors library reads it, against float64."""
    weights = softmax_weights().values[3]
    merged = load_file(target / TASKS[3] / WEIGHTS)
    name = next(iter(merged))
    wanted = sum(float(w) * load_file(sources / task / WEIGHTS)[name].double() for w, task in zip(weights, TASKS))
    torch.testing.assert_close(merged[name].double(), wanted, atol=1e-6, rtol=1e-5)


def spread(ratios: List[float], form: str) -> str:
    return f"{median(ratios):{form}} ({min(ratios):{form}} to {max(ratios):{form}})"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        sources = Path(name) / "sources"
        write_adapters(sources)
        pairs: Dict[str, List[Tuple[Any, Any]]] = {
            place: [(run("plain", place, sources), run("ours", place, sources)) for _ in range(PAIRS)]
            for place in ("disk", "cache")
        }
        slow = run("published", "cache", sources)
        start = time.perf_counter()
        for task in TASKS:
            fingerprint(sources / task / WEIGHTS)
        hashing = time.perf_counter() - start
    print("| 32 merges of 32 adapters | where | seconds | CPU seconds | peak MiB |\n|---|---|---|---|---|")
    rows = [("published", "cache", [slow])]
    for place, results in pairs.items():
        rows += [("ours", place, [two for _, two in results]), ("reading, writing", place, [one for one, _ in results])]
    for label, place, times in rows:
        print(f"| {label} | {place} | " + " | ".join(f"{median(column):.2f}" for column in zip(*times)) + " |")
    ratios = [slow[1] / two[1] for _, two in pairs["cache"]]
    print(f"CPU time of the published algorithm over ours: {spread(ratios, '.1f')}")
    for place, results in pairs.items():
        shares = [one[0] / two[0] for one, two in results]
        print(f"speed, of plainly reading and writing ({place}): {spread(shares, '.0%')}")
    print(f"hashing the sources for the manifest, not in it: {hashing:.2f} s")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
