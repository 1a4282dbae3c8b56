"""Every file of what our commands wrote, removed, cut or changed: the same command mends it, others stop."""

import json
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import pytest

from attribution.common.manifest import MANIFEST, files
from tests.conftest import CommandResult

Chain = Dict[str, Tuple[str, ...]]
"""By a product's name the command line that makes it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def chain(made: Path, tmp_path: Path, allennlp: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A pool, what is retrieved from it, and a pool of that, in the working directory."""
    if not (made / "rows.jsonl").exists():
        rows = [{"input": f"word{n} word{n % 7} ?", "target": str(n), "task": f"t{n % 3}"} for n in range(60)]
        (made / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (made / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:5]))
        _write(made / "pool.json", {"sources": [{"type": "rows", "path": "rows.jsonl"}]})
        retriever = {"type": "bm25", "index": "index"}
        queries = {"path": "queries.jsonl", "reader": {"type": "p3_jsonl"}}
        settings = {"pool": {"path": "pool/pool.jsonl"}, "queries": queries, "retriever": retriever, "neighbours": 3}
        _write(made / "retrieve.json", settings)
        _write(made / "again.json", {"sources": [{"type": "rows", "path": "retrieved/retrieved.jsonl"}]})
    lines: Chain = {
        "pool": ("build-pool", "pool.json", "-s", "pool"),
        "retrieved": ("retrieve", "retrieve.json", "-s", "retrieved"),
        "again": ("build-pool", "again.json", "-s", "again"),
    }
    if not (made / "again").exists():
        monkeypatch.chdir(made)
        for line in lines.values():
            result = allennlp(*line)
            assert result.status == 0, result.stderr
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return lines


def _write(path: Path, settings: Any) -> None:
    path.write_text(json.dumps(settings))


def _contents(folder: str) -> Dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in files(Path(folder))}


def _change(path: Path, place: int) -> None:
    time.sleep(0.01)  # A second write in the same tick of the disk's clock would look like the first.
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


DAMAGES: Dict[str, Callable[[Path], None]] = {
    "removed": lambda path: path.unlink(),
    "cut": _cut,
    "changed": lambda path: _change(path, path.stat().st_size // 2),
}
OUTPUTS = {
    "pool": ("pool.jsonl", "pool.jsonl.offsets.npy", "tasks.json"),
    "retrieved": ("retrieved.jsonl", "search_log.jsonl", "composition.json", "composition.npz", "composition.tsv"),
    "index": ("vocabulary.json",),
}


def test_the_outputs_are_all(chain: Chain) -> None:
    for product, names in OUTPUTS.items():
        there = {name for name in files(Path(product)) if name != MANIFEST}
        assert there == set(names) if product != "index" else set(names) <= there


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("product", "name"), [(product, name) for product, names in OUTPUTS.items() for name in names])
def test_a_damaged_product(
    product: str,
    name: str,
    damage: str,
    chain: Chain,
    allennlp: Callable[..., CommandResult],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = _contents(product)
    DAMAGES[damage](Path(product, name))
    reader = {"pool": "retrieved", "retrieved": "again"}.get(product)
    if reader and name in ("pool.jsonl", "pool.jsonl.offsets.npy", "retrieved.jsonl"):
        shutil.rmtree(reader)
        result = allennlp(*chain[reader])
        assert result.status == 1 and "Traceback" not in result.stderr and not Path(reader).exists()
        if damage != "removed" or name.endswith(".npy"):
            assert f"{product}/{name}: " in result.stderr, result.stderr
            assert f"make it again with: allennlp {' '.join(chain[product][:3])} " in result.stderr
    if product == "index":
        shutil.rmtree("retrieved")
        result = allennlp(*chain["retrieved"])
    else:
        result = allennlp(*chain[product])
    assert result.status == 0 and "finished already" not in result.stdout, result.stderr
    assert f"{product}: {name} " in caplog.text and "it is made again" in caplog.text
    assert _contents(product) == before
    assert not list(Path().glob(".*"))


def test_force_does_not_replace_what_it_is_made_from(chain: Chain, allennlp: Callable[..., CommandResult]) -> None:
    before = _contents(".")
    for line in (("build-pool", "pool.json", "-s", ".", "-f"), ("retrieve", "retrieve.json", "-s", "pool", "-f")):
        result = allennlp(*line)
        assert result.status == 1 and "which it is to be made from" in result.stderr, result.stderr
    result = allennlp("build-pool", str(Path("pool.json").absolute()), "-s", "../here/", "--force")
    assert result.status == 1 and "pool.json, which it is to be made from" in result.stderr
    assert _contents(".") == before
