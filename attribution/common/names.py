"""Names from a configuration or a product that become the names of files and folders."""

import os
import re
from typing import Collection, Iterable

from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import PLAN
from attribution.common.manifest import MANIFEST

_NAME = re.compile(r"\w[\w.+=,%-]*")
_LONGEST = 200
"""Bytes, of the 255 that file systems take: endings are added."""

_OF_ALL = (MANIFEST, PLAN, "failed")
"""In each directory of ours, while it is written or later."""


def check_names(names: Iterable[str], setting: str, taken: Collection[str] = ()) -> None:
    """
    # Parameters

    setting : `str`
        Where the names are from, for messages.
    taken : `Collection[str]`, optional
        Names that other files beside them have.

    # Raises

    `ConfigurationError` if one is no name of a file or folder wherever that may be, or is there twice.
    """
    seen = set()
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{setting}: {name!r} cannot be the name of a file or folder; use letters, digits and _, and after the "
                "first . - + = , % too"
            )
        if len(os.fsencode(name)) > _LONGEST:
            raise ConfigurationError(f"{setting}: {name[:60]!r}... is longer than {_LONGEST} bytes; use a shorter name")
        if name in (*taken, *_OF_ALL):
            raise ConfigurationError(f"{setting}: {name!r} is what a file of the product itself is called; rename it")
        if name in seen:
            raise ConfigurationError(f"{setting}: {name!r} is there twice; each needs a name of its own")
        seen.add(name)
