"""Deltas, or other folders, by a pattern."""

import re
from glob import glob
from pathlib import Path
from typing import Callable, Dict

from allennlp.common.checks import ConfigurationError

_MAGIC = re.compile(r"\*+|\?|\[[^\]]+\]")


def delta_folders(pattern: str, setting: str) -> Dict[str, Path]:
    """
    `matching`, folders only.

    # Raises

    `ConfigurationError`, naming the setting, if no folder matches.
    """
    folders = matching(pattern, Path.is_dir)
    if not folders:
        raise ConfigurationError(f"{setting}: no folder matches {pattern}")
    return folders


def matching(pattern: str, wanted: Callable[[Path], bool]) -> Dict[str, Path]:
    """
    Name -> path, in the order of the names. A name is what stands for the asterisks: from the first of the pattern to
    the last.
    """
    paths = [path for path in map(Path, glob(pattern, recursive=True)) if wanted(path)]
    return dict(sorted((_name(path, str(Path(pattern))), path) for path in paths))


def _name(folder: Path, pattern: str) -> str:
    """The path without what is before the pattern's first asterisk, and after its last; without one the last part."""
    magic = list(_MAGIC.finditer(pattern))
    if not magic:
        return folder.name
    return str(folder)[magic[0].start() : len(str(folder)) - (len(pattern) - magic[-1].end())]
