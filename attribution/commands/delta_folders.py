"""Deltas, or other folders, by a pattern."""

import re
from glob import glob
from pathlib import Path
from typing import Dict

from allennlp.common.checks import ConfigurationError

_MAGIC = re.compile(r"\*+|\?|\[[^\]]+\]")


def delta_folders(pattern: str, setting: str) -> Dict[str, Path]:
    """
    Name -> folder, in the order of the names. A name is what stands for the asterisks: from the first of the pattern to
    the last.

    # Raises

    `ConfigurationError`, naming the setting, if no folder matches.
    """
    folders = [Path(path) for path in glob(pattern, recursive=True) if Path(path).is_dir()]
    if not folders:
        raise ConfigurationError(f"{setting}: no folder matches {pattern}")
    named = sorted((_name(folder, str(Path(pattern))), folder) for folder in folders)
    return dict(named)


def _name(folder: Path, pattern: str) -> str:
    """The path without what is before the pattern's first asterisk, and after its last; without one the last part."""
    magic = list(_MAGIC.finditer(pattern))
    if not magic:
        return folder.name
    return str(folder)[magic[0].start() : len(str(folder)) - (len(pattern) - magic[-1].end())]
