import os
import time
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import (
    MANIFEST,
    check_products,
    files,
    is_ours,
    paths_in,
    read_manifest,
    write_json,
    write_manifest,
)

LARGE = 3 << 20


@pytest.fixture
def product(tmp_path: Path) -> Path:
    folder = tmp_path / "pool"
    (folder / "shards").mkdir(parents=True)
    (folder / "rows").write_bytes(b"abc")
    (folder / "shards" / "one").write_bytes(bytes(LARGE))
    write_manifest(folder, "build-pool", [], {"k": 1}, {"k": 2}, "allennlp build-pool pool.jsonnet")
    return folder


def _change(path: Path, place: int) -> None:
    time.sleep(0.01)  # A second write in the same tick of the disk's clock would look like the first.
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"!")


def test_what_is_in_it(product: Path) -> None:
    assert is_ours(product) and files(product) == [MANIFEST, "rows", "shards/one"]
    outputs = read_manifest(product)["outputs"]
    assert outputs["rows"].keys() == {"bytes", "sha256"} and outputs["rows"]["bytes"] == 3
    assert outputs["shards/one"].keys() == {"bytes", "sha256", "ends"} and outputs["shards/one"]["bytes"] == LARGE
    check_products([product, product / "rows", product / "shards"], thorough=True)


@pytest.mark.parametrize("place", [0, LARGE - 1, LARGE // 2])
@pytest.mark.parametrize("asked", ["", "shards", "shards/one", "rows"])
def test_of_a_large_file_both_ends_are_looked_at_or_all(place: int, asked: str, product: Path) -> None:
    _change(product / "shards" / "one", place)
    message = r"shards/one: has other content than was written; make it again with: allennlp build-pool pool.jsonnet -s"
    path = product / asked
    for options in ({}, {"thorough": True}, {"wholly": [path]}):
        noticed = place != LARGE // 2 or "thorough" in options or ("wholly" in options and asked == "shards/one")
        if noticed and asked != "rows":
            with pytest.raises(ConfigurationError, match=message):
                check_products([path], **options)
        else:
            check_products([path], **options)


def test_what_lies_beside_a_product_is_nobody_s(product: Path) -> None:
    (product / "rows").unlink()
    (product / "mine").write_text("x")
    check_products([product / "mine", product / "shards", product / "not there", product.parent, Path("/")])
    with pytest.raises(ConfigurationError, match="rows: is missing"):
        check_products([product / "rows"])
    with pytest.raises(ConfigurationError, match="rows: is missing"):
        check_products([product])


def test_relative_names_and_links(product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (product.parent / "link").symlink_to(product)
    _change(product / "rows", 0)
    monkeypatch.chdir(product)
    for path in ("rows", ".", "shards/../rows", "../link/rows", "../link"):
        with pytest.raises(ConfigurationError, match="rows: has other content"):
            check_products([Path(path)])


@pytest.mark.parametrize("content", ["", "{", '{\n  "comm', '{\n  "command": "x'])
def test_what_is_left_of_a_manifest(content: str, product: Path) -> None:
    (product / MANIFEST).write_text(content)
    with pytest.raises(ConfigurationError, match=f"{MANIFEST}: missing or damaged .* make .*pool anew"):
        check_products([product / "rows"])


def test_a_manifest_that_was_changed(product: Path) -> None:
    (product / MANIFEST).write_text('{"outputs": {}, "sha256": 1}')
    with pytest.raises(ConfigurationError, match=f"{MANIFEST}: .*make .*anew"):
        check_products([product / "rows"])


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_in_the_place_of_a_manifest(put: Any, product: Path) -> None:
    (product / MANIFEST).unlink()
    put(product / MANIFEST)
    check_products([product / "rows"])
    with pytest.raises(ConfigurationError, match=f"{MANIFEST}: is no file; make .*pool anew"):
        read_manifest(product)


@pytest.mark.parametrize(
    "content",
    [
        *('{"name": "a web page"}', '\ufeff{"a": 1}\n{"a": 2}', '[{"command": "x"}]', "{}", "name: x", "null", "[]"),
        *('["pool.jsonl"]', "{ // none\n}", '{"command": "dvc repro", "outputs": ["a"]}', "[" * 100_000, "\0" * 99),
    ],
)
def test_a_manifest_of_something_else(content: str, product: Path) -> None:
    (product / MANIFEST).write_text(content)
    assert not is_ours(product)
    check_products([product])
    with pytest.raises(ConfigurationError, match=MANIFEST):
        read_manifest(product)


def test_every_byte_of_a_manifest_counts(product: Path) -> None:
    whole = (product / MANIFEST).read_bytes()
    for place in range(whole.index(b'"build-pool"'), len(whole) - 1):
        if not whole[place : place + 1].isspace():
            (product / MANIFEST).write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
            with pytest.raises(ConfigurationError, match=f"{MANIFEST}: "):
                read_manifest(product)
    for end in range(len(whole) - 2):
        (product / MANIFEST).write_bytes(whole[:end])
        with pytest.raises(ConfigurationError, match=f"{MANIFEST}: "):
            read_manifest(product)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"a": ["rows", {"b": "shards"}], "c": 1, "d": None, "e": "", "f": "nothing\0", "g": "x" * 5000}, 2),
        ("rows", 1),
        ({"a": "[rs]*", "b": "no*", "c": "what * is {{this}}?\nA [ ]"}, 2),
        ([], 0),
    ],
)
def test_paths_in_settings(settings: Any, found: int, product: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(product)
    assert len(list(paths_in(settings))) == found


def test_json_has_no_infinite_numbers(tmp_path: Path) -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="about.json: cannot be written as JSON"):
            write_json(tmp_path / "about.json", {"a": [number]})
    assert list(tmp_path.iterdir()) == []
