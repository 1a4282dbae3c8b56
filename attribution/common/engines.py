"""Where work on parts of a pool is done: in this process, or on the workers of a Ray cluster."""

from abc import abstractmethod
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, TypeVar

from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

Part = TypeVar("Part")
Result = TypeVar("Result")


class Engine(Registrable):
    """Base of what runs a function over parts. What comes out does not depend on the engine, nor on its workers."""

    default_implementation = "in_process"

    @abstractmethod
    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """
        `function(part)` for each part, in the parts' order. Parts are taken as they are needed, so that they may be
        more than memory holds. `function` can be pickled, and may keep what it loads between parts.
        """


@Engine.register("in_process")
class InProcessEngine(Engine):
    """
    One part after the other, here.

    Registered as an `Engine` with name "in_process".
    """

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        return map(function, parts)


@Engine.register("ray")
class RayEngine(Engine):
    """
    Parts go to the actors of a Ray cluster (https://docs.ray.io): the one whose `RAY_ADDRESS` is set, else one that is
    started on this machine and ends with the process. Needs the extra `ray`.

    Registered as an `Engine` with name "ray".

    # Parameters

    workers : `int`, optional
        By default one for each GPU of the cluster or, without one, for each CPU.
    """

    def __init__(self, workers: Optional[int] = None) -> None:
        if workers is not None and workers < 1:
            raise ConfigurationError(f"engine ray: workers is {workers}; at least one is needed")
        self.workers = workers
        self._actors: List[Any] = []

    def map(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        try:
            import ray
        except ImportError as error:
            raise ConfigurationError(
                "engine ray: Ray is not installed; pip install 'cross-task-attribution[ray]'"
            ) from error
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)
        if not self._actors:
            resources = ray.cluster_resources()
            unit = "GPU" if resources.get("GPU") else "CPU"
            workers = self.workers or max(1, int(resources[unit]))
            remote: Any = ray.remote
            actor = remote(**_share(resources, unit, workers))(_Actor)
            self._actors = [actor.remote() for _ in range(workers)]
        shared = ray.put(function)
        for actor in self._actors:
            actor.take.remote(shared)
        return _in_order(ray, self._actors, parts)


def _share(resources: Dict[str, float], unit: str, workers: int) -> Dict[str, float]:
    """
    What each worker asks for: one CPU, and a GPU where there are some, so that each has one thread, whatever their
    number: threads change the order of additions, and so the last digits. Where there are fewer they share them: Ray
    would wait for more for ever.
    """
    return {f"num_{name.lower()}s": min(1.0, resources[name] / workers) for name in {"CPU", unit}}


class _Actor:
    """Keeps one function, and what that has loaded, until it takes the next."""

    def take(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def run(self, part: Any) -> Any:
        return self.function(part)


def _in_order(ray: Any, actors: List[Any], parts: Iterable[Any]) -> Iterator[Any]:
    # Each actor twice: one part in work and the next one there already.
    pool = ray.util.ActorPool(actors * 2)
    try:
        for part in parts:
            if not pool.has_free():
                yield pool.get_next()
            pool.submit(lambda worker, waiting: worker.run.remote(waiting), part)
        while pool.has_next():
            yield pool.get_next()
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ConfigurationError):
            raise error.cause from None
        raise
