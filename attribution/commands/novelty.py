"""
`allennlp novelty`: a target's labelled rows, those first that tell the most beside what there is already.
"""

from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity
from attribution.encoders import Encoder
from attribution.retrievers import Pool
from attribution.retrievers.coreset import sample_by_distance, squared_distances


class Novelty(ArtefactJob):
    """
    The configuration of `allennlp novelty`.

    With `retrieved` it is DEFT's order of training data by what retrieval has not brought (`sort_training_data.py`);
    without, and with `batch` 1 and a `size`, it is DEFT's choice of few shots by k-means++ (`select_few_shots.py`).

    # Parameters

    rows : `Pool`
        The target's labelled, prompted rows.
    encoder : `Encoder`
        Between whose vectors distances are.
    retrieved : `Pool`, optional
        What a model is trained on anyway: rows far from it come first.
    size : `int`, optional
        Write so many rows; by default all.
    batch : `int`, optional (default = `1000`)
        Rows are drawn so many at a time, each with a probability in proportion to its squared distance from
        `retrieved` and from what was drawn before.
    separate_files : `bool`, optional (default = `False`)
        Also write `rows_1.jsonl`, `rows_2.jsonl`, ..., which grow by a batch each.
    seed : `int`, optional (default = `0`)
    """

    def __init__(
        self,
        rows: Pool,
        encoder: Encoder,
        retrieved: Optional[Pool] = None,
        size: Optional[int] = None,
        batch: int = 1000,
        separate_files: bool = False,
        seed: int = 0,
    ) -> None:
        for name, value in (("size", size), ("batch", batch)):
            if value is not None and value < 1:
                raise ConfigurationError(f"novelty: {name} is {value}; at least one is needed")
        self.rows = rows
        self.encoder = encoder
        self.retrieved = retrieved
        self.size = size
        self.batch = batch
        self.separate_files = separate_files
        self.seed = seed

    def inputs(self) -> List[Path]:
        pools = [self.rows] if self.retrieved is None else [self.rows, self.retrieved]
        return [file for pool in pools for file in pool.files]

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        return {**super().identity(configuration), "encoder": self.encoder.identity}

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `rows.jsonl`."""
        vectors = _encode(self.rows, self.encoder, engine)
        distances = None
        if self.retrieved is not None:
            distances = squared_distances(vectors, _encode(self.retrieved, self.encoder, engine))
        batches = sample_by_distance(vectors, np.random.default_rng(self.seed), distances, self.batch)
        size = min(self.size or len(vectors), len(vectors))
        ids = self.rows.ids("reading the rows")
        order: List[int] = []
        with Tqdm.tqdm(total=size, desc="drawing rows", unit="row") as progress:
            ends = []
            while len(order) < size:
                order += ids[next(batches)].tolist()
                progress.update(min(len(order), size) - progress.n)
                ends.append(min(len(order), size))
        order = order[:size]
        lines = {row.number: json_line(row.content, row.where) for row in self.rows.rows.take(sorted(order))}
        for name, end in [
            ("rows", size),
            *((f"rows_{n + 1}", end) for n, end in enumerate(ends) if self.separate_files),
        ]:
            with (directory / f"{name}.jsonl").open("w", encoding="utf-8") as file:
                for number in islice(order, end):
                    file.write(lines[number] + "\n")
        return f"rows.jsonl, {size} rows of {len(vectors)}"


def _encode(pool: Pool, encoder: Encoder, engine: Engine) -> np.ndarray:
    """Shape: (rows, dimension)."""
    return np.concatenate(list(engine.map(_EncodePart(encoder), (part.texts for part in pool.parts("encoding")))))


class _EncodePart:
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def __call__(self, texts: List[str]) -> np.ndarray:
        return self.encoder.encode(texts)


@Subcommand.register("novelty")
class NoveltyCommand(ArtefactCommand):
    """
    Orders a target's labelled rows by novelty, or chooses few: `allennlp novelty CONFIG -s DIR` writes
    `DIR/rows.jsonl`.

    Registered as a `Subcommand` with name "novelty".
    """

    job = Novelty
    summary = "Order a target's labelled rows by what they add to the rows that there are, or choose few."
