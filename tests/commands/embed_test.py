import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.commands.embed import Embedding
from attribution.common.artefacts import new_artefact
from attribution.common.engines import InProcessEngine, RayEngine
from attribution.encoders import Vectors
from attribution.retrievers import ExactRetriever, Pool
from tests.retrievers.conftest import NumberEncoder

ROWS = [{"input": f"number {n % 30}", "target": "x", "task": "a" if n < 30 else "b"} for n in range(40)]


@pytest.fixture
def config(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    settings: Dict[str, Any] = {
        "pool": {"path": write_jsonl("pool.jsonl", ROWS)},
        "encoder": "tests_number",
        "dtype": "float32",
        "shard_rows": 16,
    }

    def make(**changes: Any) -> str:
        path = tmp_path / "embed.jsonnet"
        path.write_text(json.dumps({**settings, **changes}))
        return str(path)

    return make


def _files(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Dies(NumberEncoder):
    """After so many parts."""

    def __init__(self, parts: int) -> None:
        self.parts = parts

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if not self.parts:
            raise KeyboardInterrupt
        self.parts -= 1
        return super().encode(texts)


def test_vectors_in_order_and_in_shards(config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("embed", config(), "-s", tmp_path / "vectors")
    assert result.status == 0, result.stderr
    assert "40 vectors, 40 of them encoded now" in result.stdout
    stored = list(Vectors(tmp_path / "vectors").blocks())
    assert [len(block) for block in stored] == [16, 16, 8]
    wanted = NumberEncoder().encode([row["input"] for row in ROWS])
    np.testing.assert_array_equal(np.concatenate(stored), wanted)
    assert "finished already" in allennlp("embed", config(), "-s", tmp_path / "vectors").stdout
    assert allennlp("embed", config(dtype="float16"), "-s", tmp_path / "half").status == 0
    half = np.concatenate(list(Vectors(tmp_path / "half").blocks()))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, wanted, atol=1e-3)


@pytest.mark.parametrize("parts", range(8))
def test_stopped_anywhere_it_ends_with_the_same_bytes(
    parts: int, config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution.commands.embed.ROWS_PER_PART", 7)
    settings = json.loads(Path(config()).read_text())
    assert allennlp("embed", config(), "-s", tmp_path / "whole").status == 0
    embedding = Embedding(Pool(settings["pool"]["path"]), Dies(parts), "float32", 16)
    with (
        pytest.raises(KeyboardInterrupt),
        new_artefact(
            tmp_path / "parts", "embed", embedding.inputs(), settings, embedding.identity({}), goes_on=True
        ) as folder,
    ):
        embedding.run(folder, InProcessEngine())
    assert not (tmp_path / "parts").exists()
    result = allennlp("embed", config(), "-s", tmp_path / "parts")
    # 3 parts of 7, 7 and 2 rows a shard; the last has 7 and 1.
    assert f"{40 - 16 * (parts // 3)} of them encoded now" in result.stdout, result.stderr
    assert _files(tmp_path / "parts") == _files(tmp_path / "whole")


def test_killed_it_goes_on_to_the_same_bytes(config: Any, allennlp: Any, tmp_path: Path, run_and_kill: Any) -> None:
    slow = config(encoder="tests_slow_number")
    run_and_kill(["embed", slow, "-s", tmp_path / "parts"], when=lambda: list(tmp_path.glob(".parts.part/*.npy")))
    left = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".parts.part").glob("*.npy")}
    assert 1 <= len(left) < 3
    result = allennlp("embed", slow, "-s", tmp_path / "parts")
    assert result.status == 0, result.stderr
    assert all((tmp_path / "parts" / name).stat().st_mtime_ns == time for name, time in left.items())
    assert allennlp("embed", slow, "-s", tmp_path / "whole").status == 0
    assert _files(tmp_path / "parts") == _files(tmp_path / "whole")


@pytest.mark.parametrize("damaged", [np.zeros((16, 9), np.float32), np.full((16, 2), np.nan, np.float32), None])
def test_a_damaged_shard_of_an_interrupted_run_is_made_again(
    damaged: Any, config: Any, allennlp: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = json.loads(Path(config()).read_text())
    assert allennlp("embed", config(), "-s", tmp_path / "whole").status == 0
    embedding = Embedding(Pool(settings["pool"]["path"]), NumberEncoder(), "float32", 16)
    with (
        pytest.raises(KeyboardInterrupt),
        new_artefact(
            tmp_path / "parts", "embed", embedding.inputs(), settings, embedding.identity({}), goes_on=True
        ) as folder,
    ):
        embedding.run(folder, InProcessEngine())
        shard = folder / "vectors_0000000016.npy"
        shard.write_bytes(b"") if damaged is None else np.save(shard, damaged)
        raise KeyboardInterrupt
    result = allennlp("embed", config(), "-s", tmp_path / "parts")
    assert "16 of them encoded now" in result.stdout, result.stderr
    assert "vectors_0000000016.npy: left by an interrupted run" in caplog.text
    for file in (tmp_path / "whole").glob("*.npy"):
        assert (tmp_path / "parts" / file.name).read_bytes() == file.read_bytes()


def test_workers_do_not_change_a_byte(
    config: Any, tmp_path: Path, ray_engines: Dict[int, RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution.commands.embed.ROWS_PER_PART", 7)
    embedding = Embedding(Pool(json.loads(Path(config()).read_text())["pool"]["path"]), NumberEncoder(), "float16", 16)
    for name, engine in {"here": InProcessEngine(), **ray_engines}.items():
        (tmp_path / str(name)).mkdir()
        embedding.run(tmp_path / str(name), engine)
        assert len(_files(tmp_path / str(name))) == 3
        assert _files(tmp_path / str(name)) == _files(tmp_path / "here")


def test_exact_search_of_stored_vectors_is_exact_search(config: Any, allennlp: Any, tmp_path: Path) -> None:
    allennlp("embed", config(), "-s", tmp_path / "vectors")
    path = json.loads(Path(config()).read_text())["pool"]["path"]
    for excluded in ([], ["a"], ["b"]):
        retrievers = [ExactRetriever(NumberEncoder(), vectors=where) for where in (None, str(tmp_path / "vectors"))]
        # Between whole numbers, where only rows with the same text are equally near.
        queries = ["number 3.3", "number 17.3"]
        encoded, stored = (retriever.retrieve(Pool(path, excluded), queries, 10) for retriever in retrievers)
        np.testing.assert_array_equal(encoded.ids % 30, stored.ids % 30)
        np.testing.assert_allclose(encoded.scores, stored.scores, rtol=1e-6)


def test_vectors_of_something_else_are_refused(
    config: Any, allennlp: Any, write_jsonl: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    allennlp("embed", config(), "-s", folder)
    before = _files(folder)

    def refused(arguments: List[Any], *messages: str) -> None:
        result = allennlp(*arguments)
        assert result.status == 1 and "Traceback" not in result.stderr
        assert all(message in result.stderr for message in messages), result.stderr
        assert _files(folder) == before

    refused(["embed", config(dtype="float16"), "-s", folder], "dtype is 'float32' there and 'float16' here")
    other = write_jsonl("other.jsonl", [{**row, "target": "y"} for row in ROWS])
    refused(["embed", config(pool={"path": other}), "-s", folder], "pool.sha256")
    refused(["embed", config(dtype="int8"), "-s", tmp_path / "new"], "float16 and float32")
    refused(["embed", config(pool={"path": other, "exclude_tasks": ["a"]}), "-s", tmp_path / "new"], "exclude_tasks")
    shard = max(folder.glob("*.npy"))
    shard.write_bytes(shard.read_bytes()[:-4])
    search = ExactRetriever(NumberEncoder(), vectors=str(folder))
    pool = Pool(json.loads(Path(config()).read_text())["pool"]["path"])
    with pytest.raises(
        ConfigurationError, match=r"npy: missing or damaged .*; remove .* allennlp embed makes it again"
    ):
        search.retrieve(pool, ["number 3"], 1)
    shard.unlink()
    with pytest.raises(ConfigurationError, match="npy: missing or damaged"):
        search.retrieve(pool, ["number 3"], 1)
    with pytest.raises(Exception, match="pool.sha256"):
        ExactRetriever(NumberEncoder(), vectors=str(folder)).retrieve(Pool(other), ["number 3"], 1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_of_several_jobs_are_the_vectors_of_one(count: int, config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("embed", config(), "-s", tmp_path / "whole").status == 0
    done = 0
    for number in range(1, count + 1):
        result = allennlp("embed", config(part=f"{number}/{count}"), "-s", tmp_path / f"part_{number}")
        assert result.status == 0, result.stderr
        done += len(list((tmp_path / f"part_{number}").glob("*.npy")))
        with pytest.raises(ConfigurationError, match=f"part_{number}: part {number}/{count} of a pool's vectors"):
            Vectors(tmp_path / f"part_{number}")
    assert done == 3
    merged = tmp_path / "merged"
    result = allennlp("embed", config(parts=f"{tmp_path}/part_*"), "-s", merged)
    assert result.status == 0 and "40 vectors, 0 of them encoded now" in result.stdout, result.stderr
    one, other = _files(tmp_path / "whole"), _files(merged)
    del one["manifest.json"], other["manifest.json"]
    assert one == other and Vectors(merged).identity == Vectors(tmp_path / "whole").identity
    assert "finished already" in allennlp("embed", config(), "-s", merged).stdout
    if count == 1:
        return
    # A part that was damaged is not taken over.
    damaged = next((tmp_path / "part_1").glob("*.npy"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    result = allennlp("embed", config(parts=f"{tmp_path}/part_*"), "-s", tmp_path / "again")
    assert result.status == 1 and "has other content than was written; make it again with: allenn" in result.stderr
    assert (merged / damaged.name).read_bytes() == content
    damaged.write_bytes(content)
    # What a job did not do is done.
    for path in (tmp_path / f"part_{count}").iterdir():
        path.unlink()
    (tmp_path / f"part_{count}").rmdir()
    result = allennlp("embed", config(parts=f"{tmp_path}/part_*"), "-s", tmp_path / "rest")
    assert result.status == 0, result.stderr
    assert {**one, "manifest.json": b""} == {**_files(tmp_path / "rest"), "manifest.json": b""}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"part": "0/2"}, "part is '0/2'; 1/8 to 8/8 are the parts of eight jobs"),
        ({"part": "3/2"}, "part is '3/2'; 1/8 to 8/8"),
        ({"part": "two"}, "part is 'two'; 1/8 to 8/8"),
        ({"part": "1/4"}, "part is '1/4', and the pool has 3 files of shard_rows; take fewer parts"),
        ({"part": "1/2", "parts": "x"}, "part is for one of many jobs, parts for the one after them"),
    ],
)
def test_what_is_no_part(changes: Any, message: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("embed", config(**changes), "-s", tmp_path / "vectors")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "vectors").exists()


def test_a_part_of_something_else(config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("embed", config(part="1/2", dtype="float16"), "-s", tmp_path / "part_1").status == 0
    result = allennlp("embed", config(parts=f"{tmp_path}/part_*"), "-s", tmp_path / "vectors")
    assert result.status == 1 and "part_1: a part of something else: dtype is 'float16' there" in result.stderr
    result = allennlp("embed", config(parts=f"{tmp_path}/none_*"), "-s", tmp_path / "vectors")
    assert result.status == 1 and "parts: nothing is there under" in result.stderr
