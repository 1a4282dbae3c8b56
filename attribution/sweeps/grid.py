"""The points of a grid, and how they are written."""

import os
import re
from itertools import product
from typing import Any, Dict, Iterable, List, Mapping
from urllib.parse import quote

import numpy as np
from allennlp.common.checks import ConfigurationError

Axes = Dict[str, List[Any]]
"""By name the values of each."""

Point = Dict[str, Any]
"""A value of each axis."""

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LONGEST_NAME = 240  # Of 255 bytes that file systems take; the rest is for endings.


def as_text(value: Any) -> str:
    """A setting as one writes it in a configuration: `0.00001`, not `1e-05`; `true`, not `True`."""
    if isinstance(value, bool):
        return str(value).lower()
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)


def grid_points(axes: Axes) -> List[Point]:
    """All combinations of the axes' values; those of the last axis change first."""
    return [dict(zip(axes, values)) for values in product(*axes.values())]


def point_name(point: Mapping[str, Any], axes: Iterable[str]) -> str:
    """
    `AXIS=value,AXIS=value`, or `all` without axes: a name that any file system takes and no two points share.

    # Raises

    `ConfigurationError` if it is too long.
    """
    name = ",".join(f"{axis}={quote(as_text(point[axis]), safe='')}" for axis in axes) or "all"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise ConfigurationError(f"axes: {name[:60]}... is too long for a directory's name; shorten the values")
    return name


def check_axes(axes: Dict[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError` if an axis cannot be an environment variable, has no values, one twice, or anything but texts,
    numbers and truth values.
    """
    if not isinstance(axes, dict):
        raise ConfigurationError("axes: an object is needed, with a list of values by an axis's name")
    for name, values in axes.items():
        if not NAME.fullmatch(name):
            raise ConfigurationError(f"axes: {name!r} cannot name an environment variable; letters, digits and _ can")
        if not isinstance(values, list) or not values:
            raise ConfigurationError(f"axes.{name}: a list of values is needed, with one at least")
        wrong = [value for value in values if not isinstance(value, (str, int, float))]
        if wrong:
            raise ConfigurationError(f"axes.{name}: {wrong[0]!r} is neither a text nor a number")
        texts = [as_text(value) for value in values]
        repeated = [text for text in texts if texts.count(text) > 1]
        if repeated:
            raise ConfigurationError(f"axes.{name}: {repeated[0]} is there more than once")
