"""How alike sets of vectors of the same rows are."""

from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import MANIFEST, first_difference
from attribution.encoders.stored_words import words_of_sentences
from attribution.encoders.vectors import Vectors, open_shard
from attribution.similarity.kernel_cka import ESTIMATORS, kernel_cka
from attribution.similarity.linear_cka import linear_cka
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity, check_choice

_OPEN = 128  # Shards: one of each set whose blocks are multiplied with each other, and some.


@TaskSimilarity.register("kernel_alignment")
class KernelAlignment(TaskSimilarity):
    """
    Centred kernel alignment (Kornblith et al., 2019, https://arxiv.org/abs/1905.00414) of models' vectors of the same
    rows: linear CKA, by which Huang et al. (NeurIPS 2021) compare checkpoints, and others. Sources and targets, by
    default the sources, are folders of `allennlp embed`, of one file, by an encoder each. All are compared at once, on
    the rows that all have: where one has zeros, as of a word that it did not read whole, nobody's row counts. The
    matrix is then positive semi-definite, which it need not be by the rows of each pair. Vectors stay on the disk but
    for a block.

    Registered as a `TaskSimilarity` with name "kernel_alignment".

    # Parameters

    kernel : `str`, optional (default = `"linear"`)
        `linear` or `rbf`, exp(-|x - y|^2 / (2 s^2)).
    bandwidth : `float`, optional (default = `1.0`)
        Of `rbf`: s, in median distances of a set's rows.
    estimator : `str`, optional (default = `"biased"`)
        `biased`, `debiased` or `minibatch`, see `kernel_cka`.
    batch_size : `int`, optional (default = `256`)
        Of `minibatch`: rows of a batch, at most those that all sets have.
    seed : `int`, optional (default = `0`)
        Of `minibatch`: which rows are in a batch together.
    centred : `bool`, optional (default = `True`)
        Without it, which is possible of the biased linear one, columns keep their means.
    max_rows : `int`, optional
        Only so many of the rows that are compared, the first. By default all.
    rows : `str`, optional (default = `"common"`)
        Of which each pair is compared: `common`, those that all sets have, or as published `pair`, those that both of
        the pair have.
    max_sentences : `int`, optional
        Only the words of so many sentences, the first. By default all.
    """

    higher_is_better = True
    needs_examples = False
    own_folders = "targets"
    all_at_once = True

    def __init__(
        self,
        kernel: str = "linear",
        bandwidth: float = 1.0,
        estimator: str = "biased",
        batch_size: int = 256,
        seed: int = 0,
        centred: bool = True,
        max_rows: Optional[int] = None,
        rows: str = "common",
        max_sentences: Optional[int] = None,
    ) -> None:
        super().__init__()
        check_choice("rows", rows, ("common", "pair"))
        check_choice("kernel", kernel, ("linear", "rbf"))
        check_choice("estimator", estimator, ESTIMATORS)
        if not 0 < bandwidth < float("inf"):
            raise ConfigurationError(f"measure.bandwidth is {bandwidth}; a number above 0 is needed")
        if not centred and (kernel, estimator) != ("linear", "biased"):
            raise ConfigurationError("measure.centred: false is possible of the linear kernel, biased, only")
        if estimator == "minibatch" and batch_size < 4:
            raise ConfigurationError(f"measure.batch_size is {batch_size}; four rows at least are needed")
        if max_rows is not None and max_rows < 2:
            raise ConfigurationError(f"measure.max_rows is {max_rows}; two at least are needed")
        if max_sentences is not None and max_sentences < 1:
            raise ConfigurationError(f"measure.max_sentences is {max_sentences}; one at least is needed")
        self.bandwidth = bandwidth if kernel == "rbf" else None
        self.estimator = estimator
        self.batch_size = batch_size
        self.seed = seed
        self.centred = centred
        self.max_rows = max_rows
        self.rows = rows
        self.max_sentences = max_sentences

    def files(self, folder: Path) -> List[Path]:
        return [Vectors(folder).directory / MANIFEST]

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert target.folder is not None
        return {"model": float(self.compare_all([target.folder, source.folder])[0, 1])}

    def compare_all(self, folders: Sequence[Path]) -> np.ndarray:
        sets = [Vectors(folder) for folder in folders]
        for folder, vectors in zip(folders, sets):
            difference = first_difference(sets[0].identity["pool"], vectors.identity["pool"])
            if difference:
                raise ConfigurationError(
                    f"{folders[0]} and {folder} have vectors of different rows ({difference}); embed one file with both"
                )
        there = _rows_there(sets)
        if self.max_sentences is not None:
            there[:, words_of_sentences(sets[0].directory, self.max_sentences) :] = False
        opened = lru_cache(_OPEN)(open_shard)
        features = [StoredFeatures(vectors, opened) for vectors in sets]
        scores = np.empty((len(sets), len(sets)))
        for members, rows in _groups(there) if self.rows == "pair" else [(range(len(sets)), there.all(0))]:
            numbers = np.flatnonzero(rows)[: self.max_rows]
            if not len(numbers):
                raise ConfigurationError(
                    f"{folders[members[0]]} and {len(members) - 1} others have no row in common: each is zeros in one "
                    "of them"
                )
            try:
                aligned = self._align([features[member] for member in members], [numbers] * len(members))
            except ConfigurationError as error:
                names = ", ".join(f"{folders[member]} ({number})" for number, member in enumerate(members))
                raise ConfigurationError(f"{error}; these are {names}") from error
            scores[np.ix_(members, members)] = aligned
        return scores

    def _align(self, features: Sequence["StoredFeatures"], rows: List[np.ndarray]) -> np.ndarray:
        width = sum(each.shape[1] for each in features)
        # Multiplications of kernels' entries, in double, against those of cross-moments.
        kernels_are_cheaper = len(rows[0]) * (width + 2 * len(features) ** 2) < width**2
        if self.bandwidth is None and self.estimator == "biased" and not (self.centred and kernels_are_cheaper):
            return linear_cka(features, rows, self.centred)
        return kernel_cka(features, rows, self.bandwidth, self.estimator, self.batch_size, self.seed)


class StoredFeatures:
    """
    Stored vectors, indexed as an array of them is.

    # Parameters

    vectors : `Vectors`
    opened : `Callable[[Path], np.ndarray]`, optional (default = `open_shard`)
        Or one that keeps some shards open.
    """

    ndim = 2

    def __init__(self, vectors: Vectors, opened: Callable[[Path], np.ndarray] = open_shard) -> None:
        self._vectors = vectors
        self._opened = opened
        first = opened(vectors.shards()[0][1])
        self.shape = (len(vectors), first.shape[1])
        self.dtype = first.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._vectors.take(np.arange(len(self))[rows], self._opened)


def _rows_there(sets: Sequence[Vectors]) -> np.ndarray:
    """Whether a row is there in a set, other than as zeros. Shape: (sets, rows)"""
    return np.stack([np.concatenate([block.any(axis=1) for block in vectors.blocks()]) for vectors in sets])


def _groups(there: np.ndarray) -> Iterator[Tuple[Sequence[int], np.ndarray]]:
    """
    The sets, and whether each row counts, of what can be compared at once by the rows of pairs: all sets that have the
    same rows, those of two kinds, last. What a group has of a pair that is not its own, a later one puts right.
    """
    # Shape: (kinds, rows), (sets,)
    kinds, kind = np.unique(there, axis=0, return_inverse=True)
    members = [np.flatnonzero(kind.reshape(-1) == number).tolist() for number in range(len(kinds))]
    for one, other in combinations(range(len(kinds)), 2):
        yield members[one] + members[other], kinds[one] & kinds[other]
    for own, rows in zip(members, kinds):
        yield own, rows
