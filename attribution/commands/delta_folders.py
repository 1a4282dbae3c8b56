"""Deltas by a pattern of their folders."""

import re
from glob import glob, has_magic
from pathlib import Path
from typing import Dict

from allennlp.common.checks import ConfigurationError


def delta_folders(pattern: str, setting: str) -> Dict[str, Path]:
    """
    Name -> folder, in the order of the names. A name is what stands for the asterisks.

    # Raises

    `ConfigurationError`, naming the setting, if no folder matches.
    """
    folders = [Path(path) for path in glob(pattern, recursive=True) if Path(path).is_dir()]
    if not folders:
        raise ConfigurationError(f"{setting}: no folder matches {pattern}")
    named = sorted((_name(folder, Path(pattern)), folder) for folder in folders)
    return dict(named)


def _name(folder: Path, pattern: Path) -> str:
    """The path from where the pattern's first wildcard begins to where its last one ends; without one the last part."""
    magic = [number for number, part in enumerate(pattern.parts) if has_magic(part)]
    if not magic:
        return folder.name
    first, last = pattern.parts[magic[0]], pattern.parts[magic[-1]]
    before = len(re.split(r"[*?[]", first)[0])
    after = len(re.split(r"[*?\]]", last)[-1])
    found = "/".join(folder.parts[magic[0] : len(folder.parts) - (len(pattern.parts) - 1 - magic[-1])])
    return found[before : len(found) - after]
