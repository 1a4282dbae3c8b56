"""All merges in one pass over the sources' files: what is held is one tensor of each source, or a piece of it."""

import os
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from math import isfinite
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.common.manifest import write_json
from attribution.common.safetensors_file import SafetensorsReader, SafetensorsWriter
from attribution.ensembling.delta_folder import CONFIG, WEIGHTS, DeltaFolder, DeltaLayout, common_layout
from attribution.ensembling.delta_merger import DeltaMerger, MergeStep
from attribution.ensembling.ensemble_weights import EnsembleWeights

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# So many numbers, of all sources and targets together, are in a piece, and are held by all workers.
_PIECE = 1 << 22
_HELD = 1 << 24
_OTHER_FILES = 64


def merge_deltas(
    sources: Sequence[DeltaFolder], weights: EnsembleWeights, merger: DeltaMerger, folders: Sequence[Path]
) -> None:
    """
    Writes the merged delta of each target into its folder, which exists.

    # Parameters

    sources : `Sequence[DeltaFolder]`
        In the order of `weights.sources`.
    folders : `Sequence[Path]`
        In the order of `weights.targets`.

    # Raises

    `ConfigurationError` if the sources cannot be merged, or so, or one has a value that is not a number.
    """
    layout = _mergeable(sources, len(folders))
    merged = merger.merged_layout(layout, len(sources))
    steps = merger.steps(layout, weights)
    deltas = len(sources) + len(folders)
    piece = max(1, _PIECE // deltas) if merger.elementwise else sys.maxsize
    longest = max(1, *(min(piece, sum(layout.tensors[name].values for name in step.names)) for step in steps))
    workers = max(1, min(os.cpu_count() or 1, _HELD // (longest * deltas)))
    jobs = [(step, start) for step in steps for start in range(0, layout.tensors[step.names[0]].values, piece)]
    with _one_thread(), ExitStack() as files:
        readers = [files.enter_context(source.reader) for source in sources]
        writers = [
            files.enter_context(SafetensorsWriter(folder / WEIGHTS, merged.tensors, merged.metadata))
            for folder in folders
        ]
        merging = _Merging(layout, merger, piece, readers, writers)
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in Tqdm.tqdm(pool.map(merging, jobs), total=len(jobs), desc="merging", unit="tensor"):
                pass
    for folder in folders:
        write_json(folder / CONFIG, merged.config)


def _mergeable(sources: Sequence[DeltaFolder], targets: int) -> DeltaLayout:
    layout = common_layout(sources)
    for name, tensor in layout.tensors.items():
        if tensor.dtype not in _DTYPES:
            raise ConfigurationError(f"{sources[0].path}: the tensor {name} is of {tensor.dtype}; no mean can be taken")
    files = len(sources) + targets
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files + _OTHER_FILES > allowed:
        raise ConfigurationError(f"{files} files are open at once, and {allowed} may be: raise `ulimit -n`")
    return layout


class _Merging:
    """Reads, merges and writes the tensors of a step, or a piece of its tensor, from a place on."""

    def __init__(
        self,
        layout: DeltaLayout,
        merger: DeltaMerger,
        piece: int,
        readers: Sequence[SafetensorsReader],
        writers: Sequence[SafetensorsWriter],
    ) -> None:
        self.layout = layout
        self.merger = merger
        self.piece = piece
        self.readers = readers
        self.writers = writers
        self._memory = threading.local()

    def __call__(self, job: Tuple[MergeStep, int]) -> None:
        step, start = job
        tensors = [self._read(name, start, number) for number, name in enumerate(step.names)]
        weights = torch.tensor(step.weights, dtype=tensors[0].dtype)
        for name, values in zip(step.names, self.merger(step.names, tensors, weights, self.layout)):
            dtype = _DTYPES[self.layout.tensors[name].dtype]
            rows = values.to(dtype).reshape(len(self.writers), -1).view(torch.uint8).numpy()
            for writer, row in zip(self.writers, rows):
                writer.write(row, name, start * dtype.itemsize)

    def _read(self, name: str, start: int, number: int) -> torch.Tensor:
        """Shape: (sources, ...) of whole tensors, (sources, values) of pieces. In single or double precision."""
        tensor = self.layout.tensors[name]
        dtype, count = _DTYPES[tensor.dtype], min(self.piece, tensor.values - start)
        rows = self._bytes(number, len(self.readers) * count * dtype.itemsize).view(len(self.readers), -1)
        for reader, row in zip(self.readers, rows.numpy()):
            reader.read_into(row, name, start * dtype.itemsize)
        values = rows.view(dtype) if dtype == torch.float64 else rows.view(dtype).float()
        if not isfinite(values.sum().item()):  # Of finite values, too, a sum can be too large.
            self._check(values, name)
        return values.view(-1, *tensor.shape) if count == tensor.values else values

    def _bytes(self, number: int, size: int) -> torch.Tensor:
        """Memory that this thread uses again and again: getting it anew takes as long as reading."""
        held: List[torch.Tensor] = self._memory.__dict__.setdefault("held", [])
        while len(held) <= number:
            held.append(torch.empty(0, dtype=torch.uint8))
        if len(held[number]) < size:
            held[number] = torch.empty(size, dtype=torch.uint8)
        return held[number][:size]

    def _check(self, values: torch.Tensor, name: str) -> None:
        for reader, row in zip(self.readers, values):
            if not row.isfinite().all():
                raise ConfigurationError(f"{reader.path}: the tensor {name} has values that are not numbers")


@contextmanager
def _one_thread() -> Iterator[None]:
    """One for each product: they are too small to be divided, and two threads that wait for each other took longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
