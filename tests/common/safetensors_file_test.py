import json
from pathlib import Path
from typing import Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file, save_file

from attribution.common.safetensors_file import SafetensorsReader, SafetensorsWriter, TensorType

TENSORS = {
    "b.weight": torch.arange(6.0).view(2, 3),
    "a.ü": torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
    "c": torch.tensor(7.0, dtype=torch.float16),
    "empty": torch.zeros(0, 4, dtype=torch.float64),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"format": "pt"})
    return tmp_path / "x.safetensors"


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def test_reads_what_the_library_wrote(path: Path) -> None:
    with SafetensorsReader(path) as reader:
        assert reader.tensors == {
            "empty": TensorType("F64", (0, 4)),
            "b.weight": TensorType("F32", (2, 3)),
            "a.ü": TensorType("BF16", (2,)),
            "c": TensorType("F16", ()),
        }
        assert [tensor.values for tensor in reader.tensors.values()] == [0, 6, 2, 1]
        for name, tensor in TENSORS.items():
            memory = bytearray(tensor.numel() * tensor.element_size())
            reader.read_into(memory, name)
            assert bytes(memory) == _bytes(tensor)
        part = bytearray(8)
        reader.read_into(part, "b.weight", 12)
        assert torch.frombuffer(part, dtype=torch.float32).tolist() == [3.0, 4.0]


def test_writes_in_any_order_and_in_pieces_what_the_library_would(path: Path) -> None:
    types = SafetensorsReader(path).tensors
    again = path.with_name("again.safetensors")
    with SafetensorsWriter(again, types, SafetensorsReader(path).metadata) as writer:
        writer.write(_bytes(TENSORS["c"]), "c")
        writer.write(_bytes(TENSORS["b.weight"])[8:], "b.weight", 8)
        writer.write(_bytes(TENSORS["b.weight"])[:8], "b.weight")
        writer.write(_bytes(TENSORS["a.ü"]), "a.ü")
    assert again.read_bytes() == path.read_bytes()
    loaded: Dict[str, torch.Tensor] = load_file(again)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items())


def _changed_header(content: bytes, old: str, new: str) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].decode().rstrip().replace(old, new).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def test_damaged_files(path: Path) -> None:
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole[:40],
        b"",
        whole + b"x",
        b"no tensors here, just text",
        _changed_header(whole, '"shape":[2,3]', '"shape":[3,3]'),
        _changed_header(whole, '"data_offsets":[0,24]', '"data_offsets":[4,28]'),
        _changed_header(whole, '"dtype":"F32"', '"dtype":"F31"'),
    ):
        assert content != whole
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="x.safetensors: missing, truncated or not a safetensors file"):
            SafetensorsReader(path)
    with pytest.raises(ConfigurationError, match="nowhere: missing"):
        SafetensorsReader(path.with_name("nowhere"))


def test_a_pickle_is_refused_unread(path: Path) -> None:
    for settings in ({}, {"_use_new_zipfile_serialization": False}):
        torch.save({"a": torch.zeros(1)}, path, **settings)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="is a pickle, not safetensors"):
            SafetensorsReader(path)


def test_a_file_that_shrinks_while_it_is_read(path: Path) -> None:
    with SafetensorsReader(path) as reader:
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ConfigurationError, match="became shorter"):
            reader.read_into(bytearray(2), "c")


def test_the_header_ends_at_a_multiple_of_eight(path: Path) -> None:
    with SafetensorsWriter(path, {"a": TensorType("F32", (1,))}, {}) as writer:
        writer.write(b"\0\0\0\0", "a")
    length = int.from_bytes(path.read_bytes()[:8], "little")
    assert length % 8 == 0 and json.loads(path.read_bytes()[8 : 8 + length])["a"]["data_offsets"] == [0, 4]


def test_a_header_whose_length_begins_as_a_pickle_does(tmp_path: Path) -> None:
    lengths = set()
    for letters in range(1, 120):
        save_file({"x" * letters: torch.ones(2)}, tmp_path / "x.safetensors")
        start = (tmp_path / "x.safetensors").read_bytes()[:1]
        lengths.add(start)
        assert list(SafetensorsReader(tmp_path / "x.safetensors").tensors) == ["x" * letters]
    assert b"\x80" in lengths
