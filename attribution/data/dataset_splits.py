"""Which rows of a data set are meant by `train`, `validation` and `test`, and where they are."""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError, Rows
from attribution.data.dataset_files import DatasetRows, is_saved_dataset, load, load_saved
from attribution.data.formats import is_row_file, open_files

DATASETS_FOLDER = "ATTRIBUTION_DATASETS"
"""The environment variable that names a folder of local data sets."""

_SPLITS = ("train", "validation", "test")
NO_PATH = ("dummy", "dummy.txt", "")
"""What DEFT's configurations call the path of a reader that knows its data."""
_PARQUET_BRANCH = "refs/convert/parquet"
_ROWS_AT_ONCE = 10_000  # A gzipped file is read from its beginning for each of these.


class SelectedRows(Rows):
    """
    Some rows of a file, in an order of their own. They keep their numbers in it.

    # Parameters

    rows : `Rows`
        All of them.
    numbers : `np.ndarray`
        Different row numbers, int64. Shape: (selected,).
    """

    def __init__(self, rows: Rows, numbers: np.ndarray) -> None:
        super().__init__(rows.path)
        self.rows = rows
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        wanted = self.numbers[index::count]
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            block = wanted[start : start + _ROWS_AT_ONCE]
            found = {row.number: row for row in self.rows.take(np.sort(block).tolist())}
            yield from (found[number] for number in block.tolist())

    def each(self) -> Iterator[Union[Row, RowError]]:
        for start in range(0, len(self), _ROWS_AT_ONCE):
            block = self.numbers[start : start + _ROWS_AT_ONCE].tolist()
            wanted = frozenset(block)
            found = {number: row for number, row in enumerate(self.rows.each()) if number in wanted}
            yield from (found[number] for number in block if number in found)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return SelectedRows(self.rows, self.numbers[list(numbers)]).shard()

    def files(self) -> List[Path]:
        return self.rows.files()

    def class_names(self, field: str) -> List[str]:
        return self.rows.class_names(field)

    def where(self, number: int) -> str:
        return self.rows.where(number)


class Selection(NamedTuple):
    """Which rows of which split of a data set."""

    split: str
    """`train`, `validation` or `test`."""
    numbers: np.ndarray
    """int64. Shape: (selected,)."""


def select_rows(
    split_name: str,
    sizes: Dict[str, int],
    use_val_split: bool = False,
    val_size: int = 1000,
    seed: int = 42,
    shuffle: bool = True,
) -> Selection:
    """
    DEFT's rule (Ivison et al., 2023, section 4), index for index as `datasets` draws them. Without `use_val_split` a
    split is what the data set calls so. With it, the labels of the real test set not being known:

    - of a large validation split, `val_size` rows and more, `val_size` rows drawn at random are for validation, and the
      others for testing;
    - of a small one all rows are for testing, and `val_size` rows drawn from the training split for validation.

    # Parameters

    split_name : `str`
        `train`, `validation` or `test`.
    sizes : `Dict[str, int]`
        How many rows the data set's splits have.
    shuffle : `bool`, optional (default = `True`)
        Training rows are in a random order.

    # Raises

    `ConfigurationError` if the data set has no such split, or `val_size` leaves no row.
    """
    if use_val_split:
        selection = _with_validation_rows(split_name, sizes, val_size, seed)
    elif split_name in sizes:
        selection = Selection(split_name, np.arange(sizes[split_name]))
    else:
        raise ConfigurationError(f"split_name is {split_name!r}; the splits are {sorted(sizes)}")
    if split_name != "train" or not shuffle:
        return selection
    order = np.random.default_rng(seed).permutation(len(selection.numbers))
    return Selection(selection.split, selection.numbers[order])


def _with_validation_rows(split_name: str, sizes: Dict[str, int], val_size: int, seed: int) -> Selection:
    missing = sorted({"train", "validation"} - set(sizes))
    if missing:
        raise ConfigurationError(f"use_val_split: train and validation are divided, and there is no {missing[0]} split")
    if val_size < 1:
        raise ConfigurationError(f"val_size is {val_size}; at least one is needed")
    large = sizes["validation"] >= val_size
    source = "validation" if large else "train"
    if (split_name == "train" and large) or (split_name == "test" and not large):
        kept = "train" if large else "validation"
        return Selection(kept, np.arange(sizes[kept]))
    if not 0 < val_size < sizes[source]:
        raise ConfigurationError(
            f"val_size is {val_size}, and the {source} split, which they are drawn from, has {sizes[source]} rows: too "
            "few to leave any. Lower val_size, or set use_val_split: false"
        )
    order = np.random.default_rng(seed).permutation(sizes[source])
    # `datasets` puts the test part first: of a large validation split the rows for testing, else those for validation.
    first = sizes["validation"] - val_size if large else val_size
    wanted_first = split_name == ("test" if large else "validation")
    return Selection(source, order[:first] if wanted_first else order[first:])


class DatasetSplits(FromParams):
    """
    Where the rows of a data set are, and which of them are wanted. In this order they are looked for in

    1. the path that the reader is given, unless that is DEFT's `dummy` or `dummy.txt`: a file, or what `save_to_disk`
       wrote without splits, is taken as it is, all of its rows in their order; another folder is one of splits;
    2. the folder `path/name` (or `path`) in the folder that the environment variable `ATTRIBUTION_DATASETS` names;
    3. the hub.

    A folder of splits has files `SPLIT.ENDING`, `SPLIT-*.ENDING` or `SPLIT/*.ENDING` of rows in any format that is
    read, or is what `datasets` wrote with `save_to_disk`.

    # Parameters

    path : `str`
        The data set's hub id, or a folder of splits.
    name : `str`, optional
        Its configuration.
    splits : `Dict[str, str]`, optional
        What the data set calls its splits: from `train`, `validation`, `test`. By default just so.
    revision : `str`, optional (default = `"refs/convert/parquet"`)
        The hub's branch. The default has every data set as Parquet files, also those with a loading script.
    split_name : `str`, optional (default = `"train"`)
        `train`, `validation` or `test`.
    use_val_split : `bool`, optional (default = `False`)
        Divide the rows anew, as `select_rows` says.
    val_size : `int`, optional (default = `1000`)
        How many rows then are for validation.
    seed : `int`, optional (default = `42`)
        Of that division, and of the order of training rows.
    shuffle : `bool`, optional (default = `True`)
        Whether training rows are in a random order.
    """

    def __init__(
        self,
        path: str,
        name: Optional[str] = None,
        splits: Optional[Dict[str, str]] = None,
        revision: str = _PARQUET_BRANCH,
        split_name: str = "train",
        use_val_split: bool = False,
        val_size: int = 1000,
        seed: int = 42,
        shuffle: bool = True,
    ) -> None:
        self.path = path
        self.name = name
        self.splits = splits or {"train": "train", "validation": "validation", "test": "test"}
        self.revision = revision
        self.split_name = split_name
        self.use_val_split = use_val_split
        self.val_size = val_size
        self.seed = seed
        self.shuffle = shuffle
        if seed < 0:
            raise ConfigurationError(f"seed is {seed}; at least 0 is needed")
        if path.startswith((".", "/")) and not Path(path).is_dir():
            raise ConfigurationError(f"dataset: {path}: no such folder")
        possible = sorted(_SPLITS if use_val_split else self.splits)
        if split_name not in possible:
            raise ConfigurationError(f"split_name is {split_name!r}; the splits of {path} are {possible}")

    def open(self, file_path: str = "dummy") -> Rows:
        """
        The wanted rows.

        # Raises

        `ConfigurationError`, saying where data would be found, if there are none, or `val_size` is impossible.
        """
        folder = self._folder(file_path)
        if folder is not None and folder.is_file():
            return self.open_files([folder])
        if file_path not in NO_PATH and folder is not None and (folder / "state.json").is_file():
            return DatasetRows(folder, load_saved(folder, self.split_name))
        needed = ["train", "validation"] if self.use_val_split else [self.split_name]
        rows = {split: self._open_split(folder, split) for split in needed if split in self.splits}
        selection = select_rows(
            self.split_name,
            {split: len(found) for split, found in rows.items()},
            self.use_val_split,
            self.val_size,
            self.seed,
            self.shuffle,
        )
        return SelectedRows(rows[selection.split], selection.numbers)

    def open_files(self, paths: List[Path]) -> Rows:
        """The rows of the files of a split. A data set with a format of its own overrides this."""
        return open_files(paths, paths[0].parent)

    def _folder(self, file_path: str) -> Optional[Path]:
        if file_path not in NO_PATH:
            if not Path(file_path).exists():
                raise ConfigurationError(f"{file_path}: no such file or folder; 'dummy' stands for none")
            return Path(file_path)
        if Path(self.path).is_dir():
            return Path(self.path)
        # A folder that has other configurations of the data set is none of its splits.
        return next(
            (folder for folder in self._local_folders() if is_saved_dataset(folder) or _has_files(folder)), None
        )

    def _local_folders(self) -> List[Path]:
        root = os.environ.get(DATASETS_FOLDER)
        return [Path(root, self.path, self.name or ""), Path(root, self.path)] if root else []

    def _open_split(self, folder: Optional[Path], split: str) -> Rows:
        name = self.splits[split]
        if folder is None:
            return self._from_hub(name)
        if (folder / "state.json").is_file():
            raise ConfigurationError(f"{folder}: a data set without splits; save a DatasetDict, or give it as a path")
        if is_saved_dataset(folder):
            return DatasetRows(folder, load_saved(folder, name))
        patterns = (f"{name}.*", f"{name}-*", f"{name}/*", f"data/{name}-*")
        found = [sorted(filter(is_row_file, folder.glob(pattern))) for pattern in patterns]
        files = next(filter(None, found), [])
        if not files:
            there = sorted(path.name for path in folder.iterdir())[:20]
            raise ConfigurationError(
                f"{folder}: no file of the split {name!r} ({name}.jsonl or .parquet, say); there are {there}"
            )
        if len({"".join(path.suffixes) for path in files}) > 1:
            names = [path.name for path in files]
            raise ConfigurationError(f"{folder}: which of {names} is the split {name!r}? Leave one")
        return self.open_files(files)

    def _from_hub(self, split: str) -> Rows:
        settings: Dict[str, Any]
        if self.revision == _PARQUET_BRANCH:
            files = f"{self.name or 'default'}/{split}/*.parquet"
            settings = {"path": self.path, "data_files": files, "revision": self.revision, "split": "train"}
        else:
            settings = {"path": self.path, "name": self.name, "revision": self.revision, "split": split}
        try:
            return DatasetRows(Path(self.path), load(f"{self.path} {self.name or ''}".strip(), **settings))
        except ConfigurationError as error:
            folder = self._local_folders() or [Path(f"${DATASETS_FOLDER}", self.path, self.name or "")]
            raise ConfigurationError(
                f"the hub's {error.message}. Without it, put the split into {folder[0]}/{split}.jsonl (or .parquet, "
                f".csv, .arrow; the variable {DATASETS_FOLDER} names the folder), or give the reader a local path"
            ) from error


def _has_files(folder: Path) -> bool:
    """Whether there are files of a data set, in it or in folders of splits."""
    return any(is_row_file(path) for pattern in ("*", "data/*", "*/*.parquet") for path in folder.glob(pattern))
