"""Files of `torch.save` that hold more than tensors."""

from pathlib import Path
from typing import Any, Dict, Mapping, Sequence
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import load_tensors


class LeftAside:
    """In the place of an object of a class that is not loaded; what the file says of it are its attributes."""


def read_checkpoint(path: Path, expected: str, left_aside: Sequence[str] = ()) -> Dict[str, Any]:
    """
    # Parameters

    expected : `str`
        What the file should be, for messages.
    left_aside : `Sequence[str]`, optional
        The full names of classes of which the file has objects beside its tensors. Nothing of them is loaded.

    # Raises

    `ConfigurationError` if it is no such file, is damaged, wants another class or function, or holds something else
    than a dictionary with texts for keys.
    """
    with torch.serialization.safe_globals([(LeftAside, name) for name in left_aside]):
        content = load_tensors(path, map_location="cpu")
    _check_sums(path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigurationError(f"{path}: not {expected}, but a {type(content).__name__}")
    return content


def _check_sums(path: Path) -> None:
    """`torch.save` writes a checksum of each tensor, at which `torch.load` does not look."""
    if not is_zipfile(path):  # Of PyTorch before 1.6.
        return
    try:
        with ZipFile(path) as file:
            damaged = file.testzip()
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ConfigurationError(f"{path}: damaged ({error})") from error
    if damaged is not None:
        raise ConfigurationError(f"{path}: damaged, {damaged} in it is not what was written; copy it anew")


def tensors_in(content: Mapping[str, Any], path: Path, expected: str) -> Dict[str, torch.Tensor]:
    """
    As float32, where they are numbers with a point.

    # Raises

    `ConfigurationError` if there is anything else among them, or there are none, or values that are no real numbers.
    """
    others = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if others or not content:
        found = f"`{others[0]}` is a {type(content[others[0]]).__name__}" if others else "it holds nothing"
        raise ConfigurationError(f"{path}: not {expected}: {found}")
    for name, value in content.items():
        if value.layout is not torch.strided or value.is_quantized or value.is_complex():
            raise ConfigurationError(
                f"{path}: `{name}` is a tensor of {value.layout} and {value.dtype}, not a plain one"
            )
        if not value.isfinite().all():
            raise ConfigurationError(f"{path}: `{name}` has values that are no numbers, or infinite")
    return {name: value.float() if value.is_floating_point() else value for name, value in content.items()}


def some_of(names: Sequence[str], most: int = 4) -> str:
    """For messages."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
