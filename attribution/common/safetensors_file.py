"""Tensors of a safetensors file, each read from its place and written to its place: no file is held as a whole."""

import json
import os
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Type

from allennlp.common.checks import ConfigurationError
from safetensors import SafetensorError, safe_open

_LENGTH_BYTES = 8
_PICKLES = (b"PK\x03\x04", b"\x80")
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


class TensorType(NamedTuple):
    """What a tensor is, without its values."""

    dtype: str
    """As the format names it: `F32`, `BF16`, ..."""
    shape: Tuple[int, ...]

    @property
    def values(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


class SafetensorsReader:
    """
    The tensors of a file in the format of https://github.com/huggingface/safetensors#format. The header is read and
    checked at once, by the format's own library. Values are read while the reader is entered (`with`).

    # Parameters

    path : `Path`

    # Raises

    `ConfigurationError` if the file is missing, is cut short, is a pickle, or its header does not fit it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                start = file.read(_LENGTH_BYTES)
                # A header of 128 bytes begins as a pickle does; then comes the header.
                if start.startswith(_PICKLES) and file.read(1) != b"{":
                    raise ConfigurationError(
                        f"{path}: is a pickle, not safetensors: reading it could execute code. Load it where you "
                        "trust it, and save it with safetensors.torch.save_file"
                    )
                with safe_open(path, framework="pt"):
                    length = int.from_bytes(start, "little")
                file.seek(_LENGTH_BYTES)
                header = json.loads(file.read(length))
        except (OSError, SafetensorError) as error:
            raise ConfigurationError(f"{path}: missing, truncated or not a safetensors file ({error})") from error
        self.metadata: Dict[str, str] = header.pop("__metadata__", {})
        places = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        self.tensors = {name: TensorType(place["dtype"], tuple(place["shape"])) for name, place in places}
        self._starts = {name: _LENGTH_BYTES + length + place["data_offsets"][0] for name, place in places}
        self._descriptor = -1

    def __enter__(self) -> "SafetensorsReader":
        self._descriptor = os.open(self.path, os.O_RDONLY)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        os.close(self._descriptor)

    def read_into(self, memory: Any, name: str, first: int = 0) -> None:
        """Fills `memory` (contiguous, of bytes) with the tensor's bytes from its byte `first` on."""
        rest, place = memoryview(memory), self._starts[name] + first
        while rest:
            count = os.preadv(self._descriptor, [rest], place)
            if not count:
                raise ConfigurationError(f"{self.path}: became shorter while it was read")
            rest, place = rest[count:], place + count


class SafetensorsWriter:
    """
    Writes the header at once, then tensors in any order, or parts of them, while it is entered (`with`).

    # Parameters

    path : `Path`
    tensors : `Mapping[str, TensorType]`
        What will be in the file, in this order.
    metadata : `Mapping[str, str]`
        Texts for the header.
    """

    def __init__(self, path: Path, tensors: Mapping[str, TensorType], metadata: Mapping[str, str]) -> None:
        self.path = path
        header: Dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
        starts, end = {}, 0
        for name, (dtype, shape) in tensors.items():
            starts[name] = end
            end += prod(shape) * _BYTES[dtype]
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [starts[name], end]}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % _LENGTH_BYTES)
        self._header = len(text).to_bytes(_LENGTH_BYTES, "little") + text
        self._starts = {name: len(self._header) + start for name, start in starts.items()}
        self._descriptor = -1

    def __enter__(self) -> "SafetensorsWriter":
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._write(self._header, 0)
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        os.close(self._descriptor)

    def write(self, memory: Any, name: str, first: int = 0) -> None:
        """Writes `memory` (contiguous, of bytes) as the tensor's bytes from its byte `first` on."""
        self._write(memory, self._starts[name] + first)

    def _write(self, memory: Any, place: int) -> None:
        rest = memoryview(memory)
        while rest:
            count = os.pwrite(self._descriptor, rest, place)
            rest, place = rest[count:], place + count
