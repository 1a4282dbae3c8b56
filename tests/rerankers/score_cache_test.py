import os
from pathlib import Path
from typing import Any, Iterable, List

import numpy as np
import pytest

from attribution.rerankers.score_cache import ScoreCache, in_windows, pair_key

PAIRS = [("a", str(n)) for n in range(7)]


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    keys = [pair_key(pair) for pair in PAIRS]
    cache = ScoreCache(tmp_path / "scores", {"model": 1})
    assert cache.read() == {}
    cache.add(keys[:2], np.array([0.5, -1.0]))
    with cache.path.open("ab") as file:
        file.write(b"killed")  # In the middle of a record.
    assert ScoreCache(tmp_path / "scores", {"model": 1}).read() == {keys[0]: 0.5, keys[1]: -1.0}
    cache.add(keys[2:3], np.array([2.0]))
    assert list(cache.read().values()) == [0.5, -1.0, 2.0]
    assert ScoreCache(tmp_path / "scores", {"model": 2}).read() == {}


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    children = []
    for child in range(3):
        process = os.fork()
        if process == 0:
            for number in range(100):
                pairs = [(f"{child} {number}", str(n)) for n in range(50)]
                ScoreCache(tmp_path, {}).add([pair_key(pair) for pair in pairs], np.arange(50))
            os._exit(0)
        children.append(process)
    assert [os.waitpid(process, 0)[1] for process in children] == [0, 0, 0]
    found = ScoreCache(tmp_path, {}).read()
    assert len(found) == 3 * 100 * 50 and found[pair_key(("2 99", "49"))] == 49


def test_the_texts_of_a_pair_do_not_run_together() -> None:
    assert len({pair_key(pair) for pair in (("ab", "c"), ("a", "bc"), ("c", "ab"))}) == 3
    assert pair_key(("a\x00\udc80", "b")) == pair_key(("a\x00\udc80", "b"))


def test_windows_that_are_there_are_not_scored_again(tmp_path: Path) -> None:
    scored: List[Any] = []

    def score(windows: Iterable[Any]) -> Iterable[np.ndarray]:
        for window in windows:
            if len(scored) == 2:
                raise KeyboardInterrupt
            scored.append(window)
            yield np.array([float(second) for _, second in window])

    path = tmp_path / "pairs"
    with pytest.raises(KeyboardInterrupt):
        in_windows(PAIRS, path, 2, score)
    with path.open("ab") as file:
        file.write(b"half")
    assert scored == [PAIRS[:2], PAIRS[2:4]]
    scored.clear()
    assert in_windows(PAIRS[:], path, 2, score).tolist() == [0, 1, 2, 3, 4, 5, 6] and scored == [PAIRS[4:6], PAIRS[6:]]


def test_what_is_no_score_is_scored_again(tmp_path: Path) -> None:
    path = tmp_path / "pairs"
    np.array([0, 1, 2, np.nan, 4, 5, 6, 7, 8], dtype="<f4").tofile(path)
    wanted = [float(second) for _, second in PAIRS]
    assert (
        in_windows(PAIRS, path, 2, lambda windows: (np.array([float(b) for _, b in w]) for w in windows)).tolist()
        == wanted
    )
    np.array([*wanted, 7, 8], dtype="<f4").tofile(path)  # Of more pairs than there are.
    assert in_windows(PAIRS, path, 7, lambda windows: (w for w in list(windows) if 1 / 0)).tolist() == wanted
    cache = ScoreCache(tmp_path, {})
    cache.add([pair_key(pair) for pair in PAIRS[:2]], np.array([np.nan, 1.0]))
    assert cache.read() == {pair_key(PAIRS[1]): 1.0}
