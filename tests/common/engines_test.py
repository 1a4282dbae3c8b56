import os
import sys
from typing import Dict, Iterator, Tuple

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine, InProcessEngine, RayEngine, _share


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
def test_ray(workers: int, ray_engines: Dict[int, RayEngine]) -> None:
    engine = ray_engines[workers]
    for _ in range(2):  # The workers stay.
        results = list(engine.map(Squares(), (n for n in range(40) if n != 7)))
        assert [square for square, _ in results] == [n * n for n in range(40) if n != 7]
        assert len({process for _, process in results}) == workers and os.getpid() not in dict(results).values()
    with pytest.raises(ConfigurationError, match="seven is not liked"):
        list(engine.map(Squares(), range(40)))


def test_ray_takes_parts_as_they_are_needed(ray_engines: Dict[int, RayEngine]) -> None:
    taken = []

    def parts() -> Iterator[int]:
        for number in range(100, 200):
            taken.append(number)
            yield number

    assert next(ray_engines[2].map(Squares(), parts()))[0] == 100**2 and len(taken) < 10


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"cross-task-attribution\[ray\]"):
        RayEngine(1).map(Squares(), [1])


def test_more_workers_than_cpus_share_them() -> None:
    assert _share({"CPU": 2.0, "memory": 9.0}, "CPU", 4) == {"num_cpus": 0.5}
    assert _share({"CPU": 8.0, "memory": 9.0}, "CPU", 4) == {"num_cpus": 1.0}
    assert _share({"CPU": 8.0, "GPU": 1.0}, "GPU", 2) == {"num_cpus": 1.0, "num_gpus": 0.5}
