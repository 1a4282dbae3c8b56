import os
import sys
from typing import Any, Iterator, Tuple

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine, InProcessEngine, RayEngine


class Squares:
    def __call__(self, number: int) -> Tuple[int, int]:
        if number == 7:
            raise ConfigurationError("seven is not liked")
        return number * number, os.getpid()


def test_by_name() -> None:
    assert isinstance(Engine.from_params(Params({})), InProcessEngine)
    engine = Engine.from_params(Params({"type": "ray", "workers": 3}))
    assert isinstance(engine, RayEngine) and engine.workers == 3
    with pytest.raises(ConfigurationError, match="workers is 0"):
        RayEngine(0)


def test_parts_are_taken_as_they_are_needed() -> None:
    taken = []

    def parts() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    results = InProcessEngine().map(Squares(), parts())
    assert next(results)[0] == 0 and taken == [0]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_ray(workers: int, local_ray: Any) -> None:
    results = list(RayEngine(workers).map(Squares(), (n for n in range(40) if n != 7)))
    assert [square for square, _ in results] == [n * n for n in range(40) if n != 7]
    assert len({process for _, process in results}) == workers and os.getpid() not in dict(results).values()
    with pytest.raises(ConfigurationError, match="seven is not liked"):
        list(RayEngine(workers).map(Squares(), range(40)))


def test_ray_takes_parts_as_they_are_needed(local_ray: Any) -> None:
    taken = []

    def parts() -> Iterator[int]:
        for number in range(100, 200):
            taken.append(number)
            yield number

    results = RayEngine(2).map(Squares(), parts())
    assert next(results)[0] == 100**2 and len(taken) < 10
    results.close()  # type: ignore[attr-defined]


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"cross-task-attribution\[ray\]"):
        RayEngine(1).map(Squares(), [1])
