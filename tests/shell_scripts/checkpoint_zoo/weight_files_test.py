"""Files of a few values, put together by hand."""

import struct
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[3] / "shell_scripts" / "checkpoint_zoo"))

from weight_files import read_e5, read_marian, read_onnx  # noqa: E402


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def test_onnx() -> None:
    values = np.arange(6, dtype="<f4")
    tensor = bytes([8, 2, 8, 3, 16, 1]) + _field(8, b"weight") + _field(9, values.tobytes())
    integers = bytes([8, 1, 16, 7]) + _field(8, b"shape") + _field(9, bytes(8))
    node = _field(1, _field(4, b"MatMul"))
    model = bytes([8, 0x96, 1]) + _field(7, node + _field(5, tensor) + _field(5, integers))
    weights = read_onnx(model)
    assert list(weights) == ["weight"]
    np.testing.assert_array_equal(weights["weight"], values.reshape(2, 3))


def test_marian() -> None:
    """A matrix of 8 bits is stored transposed, the embeddings are not."""
    names = [b"Wemb\0", b"W\0", b"b\0"]
    kinds, shapes = [0x4101, 0x4101, 0x0404], [(2, 3), (2, 3), (1, 2)]
    values = [bytes([1, 2, 3, 4, 5, 255]) + struct.pack("<f", 2)] * 2 + [struct.pack("<2f", 0.5, -1)]
    content = struct.pack("<QQ", 1, 3)
    for name, kind, block in zip(names, kinds, values):
        content += struct.pack("<4Q", len(name), kind, 2, len(block))
    content += b"".join(names) + b"".join(struct.pack("<2i", *shape) for shape in shapes)
    padding = -(len(content) + 8) % 256
    content += struct.pack("<Q", padding) + bytes(padding) + b"".join(values)
    weights = read_marian(content)
    np.testing.assert_array_equal(weights["Wemb"], [[0.5, 1, 1.5], [2, 2.5, -0.5]])
    np.testing.assert_array_equal(weights["W"], [[0.5, 1], [1.5, 2], [2.5, -0.5]])
    np.testing.assert_array_equal(weights["b"], [[0.5, -1]])


def test_e5() -> None:
    pieces = [b"<s>", b"\xe2\x96\x81a"]
    ends = np.cumsum([0, *map(len, pieces)])
    content = b"E5S1" + struct.pack("<I7ifi", 1, 32, 0, 4, 64, 2, 8, 2, 1e-12, 32)
    content += struct.pack("<5iQ", 2, 0, 0, 0, 1, sum(map(len, pieces)))
    content += ends.astype("<u4").tobytes() + struct.pack("<2f", 0, -2.5) + b"".join(pieces)
    content += struct.pack("<iI", 0, 3) + bytes(3) + struct.pack("<i", 2)
    block = struct.pack("<e", 0.5) + bytes(range(16))
    blocks = {b"bias": (0, 2, struct.pack("<2f", 1, 2)), b"emb.word": (1, 32, block)}
    start = len(content) + sum(2 + len(name) + 21 for name in blocks)
    for name, (kind, values, stored) in blocks.items():
        content += struct.pack("<H", len(name)) + name + struct.pack("<BIQQ", kind, values, start, len(stored))
        start += len(stored)
    file = read_e5(content + b"".join(stored for _, _, stored in blocks.values()))
    assert file.pieces == [("<s>", 0.0), ("▁a", -2.5)]
    assert file.special == {"bos": 0, "eos": 0, "pad": 0, "unk": 1}
    np.testing.assert_array_equal(file.weights["bias"], [1, 2])
    # The lower halves are the first 16 values; 8 stands for 0.
    np.testing.assert_array_equal(file.weights["emb.word"], [*np.arange(-4, 4, 0.5), *[-4] * 16])
