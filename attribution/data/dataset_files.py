"""Rows of Hugging Face datasets: from the hub, its cache, or what `save_to_disk` wrote."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, Rows, as_json, checked_numbers

_ROWS_AT_ONCE = 1000


class DatasetRows(Rows):
    """
    The rows of a `datasets.Dataset`, memory-mapped.

    # Parameters

    path : `Path`
        Where it came from, for messages: a file, a folder or a hub id.
    dataset : `datasets.Dataset`
    """

    def __init__(self, path: Path, dataset: Any) -> None:
        super().__init__(path)
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        return self._rows(range(index, len(self), count))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return self._rows(checked_numbers(numbers, len(self), self.path))

    def files(self) -> List[Path]:
        return [self.path] if self.path.is_file() else [Path(file["filename"]) for file in self.dataset.cache_files]

    def class_names(self, field: str) -> List[str]:
        feature = self.dataset.features.get(field)
        return list(getattr(getattr(feature, "feature", feature), "names", None) or [])

    def _rows(self, numbers: Sequence[int]) -> Iterator[Row]:
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            block = numbers[start : start + _ROWS_AT_ONCE]
            for number, content in zip(block, self.dataset.select(block)):
                yield Row(number, as_json(content), self.where(number))


def arrow_rows(path: Path) -> DatasetRows:
    """The rows of a file of the cache of `datasets`."""
    return DatasetRows(path, load(path, split="train", path="arrow", data_files=str(path)))


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` wrote it."""
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def load_saved(folder: Path, split: str) -> Any:
    """
    The `datasets.Dataset` of a folder that `save_to_disk` wrote.

    # Raises

    `ConfigurationError` if it has several splits, and not this one.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # Whatever a damaged file gives.
        raise ConfigurationError(f"{folder}: cannot be read: {' '.join(f'{error}'.split())}") from error
    if isinstance(loaded, dict) and split not in loaded:
        raise ConfigurationError(f"{folder}: has no split {split!r}; there are {sorted(loaded)}")
    return loaded[split] if isinstance(loaded, dict) else loaded


def data_files(where: str, settings: Dict[str, Any]) -> List[Path]:
    """
    The files of a split of a local folder, as `datasets.load_dataset` finds them.

    # Raises

    `ConfigurationError`, which begins with `where`, if there is no such split.
    """
    import datasets

    split = settings["split"]
    try:
        builder = datasets.load_dataset_builder(**{name: value for name, value in settings.items() if name != "split"})
    except Exception as error:  # As in `load`.
        raise ConfigurationError(f"{where}: {' '.join(f'{error.__cause__ or error}'.split())}") from error
    files = {str(name): paths for name, paths in (builder.config.data_files or {}).items()}
    if split not in files:
        raise ConfigurationError(f"{where}: has no split {split!r}; there are {sorted(files)}")
    return [Path(path) for path in files[split]]


def load(where: Any, **settings: Any) -> Any:
    """`datasets.load_dataset`, whose errors become a `ConfigurationError` that begins with `where`."""
    import datasets

    try:
        return datasets.load_dataset(**settings)
    except Exception as error:  # Whatever a network, a cache or a foreign file gives.
        raise ConfigurationError(f"{where}: {' '.join(f'{error.__cause__ or error}'.split())}") from error
