"""Plain data comes out of a pickle as it went in; nothing else does."""

import collections
import os
import pickle
import re
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.importers.plain_pickle import read_plain_pickle, vectors_of

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@settings(max_examples=30)
@given(content=PLAIN, protocol=st.integers(3, 5))
def test_plain_data(content: Any, protocol: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    assert read_plain_pickle(path) == content


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_numbers_and_flat_indexes(protocol: int, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    index = faiss.IndexFlatL2(3)
    index.add(vectors)
    content = {"index": index, "array": vectors[::-1], "number": np.int64(3), "fortran": np.asfortranarray(vectors)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    found = read_plain_pickle(tmp_path / "a.pkl")
    assert found["number"] == 3 and np.array_equal(found["array"], vectors[::-1])
    for name in ("index", "fortran"):
        assert np.array_equal(vectors_of(found[name], name), vectors)


def test_names_of_numpy_1(tmp_path: Path) -> None:
    whole = pickle.dumps(np.arange(3), 3)
    (tmp_path / "a.pkl").write_bytes(whole.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_plain_pickle(tmp_path / "a.pkl").tolist() == [0, 1, 2]


class _Harmful:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.made),))


@pytest.mark.parametrize(
    "content, message",
    [
        (collections.Counter("a"), "it asks for collections.Counter"),
        (Path("x"), r"it asks for pathlib\w*(\._local)?\.PosixPath"),
        ({"a": [os.path.join]}, "it asks for posixpath.join"),
        (faiss.IndexPQ, r"it asks for faiss.\w+.IndexPQ"),
        (np.memmap, r"it asks for numpy.*memmap"),
    ],
)
def test_what_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(
        ConfigurationError, match=f"{re.escape(str(tmp_path))}.*: not read, {message}; of a pickle arrays"
    ):
        read_plain_pickle(tmp_path / "a.pkl")


def test_nothing_is_executed(tmp_path: Path) -> None:
    for content in (_Harmful(tmp_path / "made"), [1, {"x": _Harmful(tmp_path / "made")}]):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(ConfigurationError, match="it asks for posix.mkdir"):
            read_plain_pickle(tmp_path / "a.pkl")
    assert not (tmp_path / "made").exists()


class _Calls:
    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


_MAKE, _VIEW = np.zeros(1).__reduce__()[0], np.zeros(1).__reduce_ex__(5)[0]  # type: ignore[index]
_SCALAR = np.zeros(1)[0].__reduce__()[0]
_FIELDS = (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)
_DISGUISED = _Calls(np.dtype, ("V8", False, True), _FIELDS)
_POINTER = b"A" * 8


@pytest.mark.parametrize("kind", [np.dtype("O"), _DISGUISED], ids=["objects", "in disguise"])
@pytest.mark.parametrize(
    "made",
    [
        lambda kind: _Calls(_MAKE, (np.ndarray, (0,), b"b"), (1, (1,), kind, False, _POINTER)),
        lambda kind: _Calls(_VIEW, (_POINTER, kind, (1,), "C")),
        lambda kind: _Calls(_SCALAR, (kind, _POINTER)),
    ],
)
def test_no_pointer_is_made_of_bytes(kind: Any, made: Any, tmp_path: Path) -> None:
    """What once ended the process."""
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(made(kind)))
    with pytest.raises(ConfigurationError, match="not read, it has an array of the type"):
        read_plain_pickle(tmp_path / "a.pkl")


def test_an_array_is_not_made_of_a_buffer(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(_Calls(np.ndarray, ((1,), np.dtype("O"), _POINTER))))
    assert read_plain_pickle(tmp_path / "a.pkl").shape == (0,)


@settings(max_examples=50)
@given(content=st.binary() | PLAIN.map(pickle.dumps), share=st.floats(0, 0.99))
def test_other_formats(content: bytes, share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "other.pkl"
    path.write_bytes(content[: int(len(content) * share)])
    try:
        read_plain_pickle(path)
    except ConfigurationError as error:
        assert "no pickle, or a damaged one" in str(error) or "it asks for" in str(error)


def test_what_has_no_vectors() -> None:
    for value, message in (
        ([1], "here: a list; a flat index, or an array"),
        (np.zeros(3), r"here: a ndarray of float64 and shape \(3,\)"),
        (np.zeros((2, 2), dtype=object), "a ndarray of object and shape"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            vectors_of(value, "here")
