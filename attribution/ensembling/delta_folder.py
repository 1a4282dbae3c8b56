"""Delta modules on disk, in PEFT's format: a folder with `adapter_config.json` and `adapter_model.safetensors`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Mapping, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.common.safetensors_file import SafetensorsReader, TensorType
from attribution.modules.delta.delta_folder import CONFIG, PICKLE, WEIGHTS, read_delta, read_delta_config, write_delta
from attribution.modules.delta.delta_kind import Base, DeltaKind, base_difference, delta_kind, settings_difference


@dataclass(frozen=True)
class DeltaLayout:
    """
    What a delta's files say before its values are read.

    # Parameters

    config : `Dict[str, Any]`
        The content of `adapter_config.json`.
    tensors : `Dict[str, TensorType]`
        In the order of the file.
    metadata : `Dict[str, str]`
        Of the head of the safetensors file.
    path : `Path`, optional
        What messages name.

    # Raises

    `ConfigurationError` if its method, or a setting, is not known.
    """

    config: Dict[str, Any]
    tensors: Dict[str, TensorType]
    metadata: Dict[str, str]
    path: Path = Path()

    @cached_property
    def kind(self) -> DeltaKind:
        shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        return delta_kind(self.config, shapes, self.path)

    @property
    def base(self) -> Base:
        return Base.of(self.config, self.metadata.get("base_fingerprint"))


class DeltaFolder:
    """
    A trained delta. Its layout is read at once, its values are not.

    # Parameters

    path : `Path`
    allow_pickle : `bool`, optional (default = `False`)
        Take `adapter_model.bin` where there is no safetensors file: tensors only, nothing in it is executed.

    # Raises

    `ConfigurationError` if a file is missing or damaged, or the weights are a pickle.
    """

    def __init__(self, path: Path, allow_pickle: bool = False) -> None:
        self.path = path
        self._weights = path / WEIGHTS
        if not self._weights.is_file():
            if not (path / PICKLE).is_file():
                raise ConfigurationError(f"{path}: not the folder of a delta: it has no {WEIGHTS}")
            self._weights = path / PICKLE
            if not allow_pickle:
                raise ConfigurationError(
                    f"{self._weights}: is a pickle, and {WEIGHTS} is needed. Save it again with PEFT, or set "
                    "`allow_pickle`"
                )
        config = read_delta_config(path)
        self.safetensors = self._copied() if self._weights.name == PICKLE else self._weights
        self.reader = SafetensorsReader(self.safetensors)
        if not self.reader.tensors:
            raise ConfigurationError(f"{path / WEIGHTS}: has no tensors")
        self.layout = DeltaLayout(config, self.reader.tensors, self.reader.metadata, path)

    @property
    def files(self) -> List[Path]:
        return [self.path / CONFIG, self._weights]

    def _copied(self) -> Path:
        """A copy of the pickle that is there as long as this object."""
        delta = read_delta(self.path, allow_pickle=True)
        self._copy = TemporaryDirectory()
        write_delta(self._copy.name, delta.config, delta.tensors)
        return Path(self._copy.name) / WEIGHTS


def common_layout(deltas: Sequence[DeltaFolder]) -> DeltaLayout:
    """
    The layout that all of them have, with the metadata that they have in common.

    # Raises

    `ConfigurationError`, naming two folders and their first difference, if they cannot be merged or take turns in a
    model.
    """
    first = deltas[0]
    for other in deltas[1:]:
        difference = (
            settings_difference(first.layout.kind, other.layout.kind)
            or _tensor_difference(first.layout.tensors, other.layout.tensors)
            or base_difference(first.layout.base, other.layout.base)
        )
        if difference:
            raise ConfigurationError(
                f"{first.path} and {other.path} do not go together: {difference}. Deltas of one method, size and base "
                "model are needed"
            )
    metadata = set.intersection(*(set(delta.layout.metadata.items()) for delta in deltas))
    return DeltaLayout(first.layout.config, first.layout.tensors, dict(metadata), first.path)


def _tensor_difference(one: Mapping[str, TensorType], other: Mapping[str, TensorType]) -> str:
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            return f"the tensor {name} is only in the {'first' if name in one else 'second'}"
        if one[name] != other[name]:
            kinds = [f"{list(kind.shape)} of {kind.dtype}" for kind in (one[name], other[name])]
            return f"the tensor {name} is {kinds[0]} and {kinds[1]}"
    return ""
