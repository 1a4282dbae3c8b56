"""
Training that was stopped and goes on as if it had not been. `shell_scripts/port_allennlp.py` puts this file into the
wheel as `allennlp/training/continuation.py`; `GradientDescentTrainer` calls it.
"""

import json
import logging
import os
import random
import signal
from contextlib import contextmanager
from copy import deepcopy
from types import FrameType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple, cast

import numpy
import torch
import torch.distributed as dist
from allennlp.common.port import INTERRUPTION_FROM_PARENT, load_tensors, plain, save_tensors
from allennlp.training.metrics import Metric

logger = logging.getLogger(__name__)

Losses = Tuple[float, Optional[float]]
"""The epoch's training loss so far, and its share of regularization where there is one."""

_STOP = 1 << 16
"""Added to the flag by which processes tell each other that their epoch is over: a stop is asked for as well."""


class RandomState:
    """The random generators of this process."""

    @staticmethod
    def get() -> Dict[str, Any]:
        """States that `torch.load(..., weights_only=True)` reads back."""
        kind, keys, position, has_gauss, cached = cast(Tuple[Any, ...], numpy.random.get_state())
        return {
            "python": random.getstate(),
            "numpy": [kind, keys.tolist(), position, has_gauss, cached],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    @staticmethod
    def set(state: Dict[str, Any]) -> None:
        random.setstate(state["python"])
        kind, keys, position, has_gauss, cached = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([cuda.cpu() for cuda in state["cuda"]])


class MetricState:
    """What a model's metrics have counted so far."""

    @staticmethod
    def get(model: torch.nn.Module) -> Dict[str, Any]:
        return {
            name: {attribute: plain(deepcopy(value)) for attribute, value in vars(metric).items() if _is_plain(value)}
            for name, metric in _metrics(model)
        }

    @staticmethod
    def set(model: torch.nn.Module, state: Dict[str, Any]) -> None:
        for name, metric in _metrics(model):
            for attribute, value in state.get(name, {}).items():
                present = getattr(metric, attribute, None)
                if isinstance(present, dict):  # Perhaps a defaultdict or a Counter: only its content was kept.
                    present.clear()
                    present.update(value)
                elif isinstance(present, torch.Tensor) and isinstance(value, torch.Tensor):
                    setattr(metric, attribute, value.to(present.device))
                else:
                    setattr(metric, attribute, deepcopy(value))


class Continuation:
    """
    What a trainer needs besides AllenNLP's own checkpoint to go on as if it had not stopped: the random states at the
    start of each epoch (they make its order of rows) and at the checkpoint (they make dropout), and what the epoch's
    losses and metrics have added up so far. In distributed training each process keeps its own: the first in the
    training state, the others in a file beside it.
    """

    def __init__(self) -> None:
        self.losses: Losses = (0.0, None)
        self._stop_requested = False
        self._stop_agreed = False
        self._epoch_starts: List[Dict[str, Any]] = []
        self._restored: Optional[Dict[str, Any]] = None
        # The random state where distributed training can stop: after a step, before rows for the next one are drawn.
        self._between_steps: Optional[Dict[str, Any]] = None
        self._before_validation: Optional[Dict[str, Any]] = None
        self._training = False
        self._at_first_batch = False

    # --- Stopping

    @contextmanager
    def stopping_at_a_batch(self, trainer: Any) -> Iterator[None]:
        """Within it the first SIGINT or SIGTERM asks for a stop after the step; the second one stops at once."""
        process = os.getpid()

        def ask(number: int, _frame: Optional[FrameType]) -> None:
            if os.getpid() != process:  # In a data loader's worker, which inherited this.
                _as_a_worker(number)
            elif number == INTERRUPTION_FROM_PARENT:
                self._stop_requested = True
            elif self._stop_requested:
                raise KeyboardInterrupt
            else:
                self._stop_requested = True
                logger.warning("%s: stopping at the next batch; once more stops at once", signal.Signals(number).name)

        try:
            numbers = (signal.SIGINT, signal.SIGTERM, INTERRUPTION_FROM_PARENT)
            before = {number: signal.signal(number, ask) for number in numbers}
        except ValueError:  # Not in the main thread: signals are someone else's.
            before = {}
        try:
            yield
        except _StopInValidation:
            assert self._before_validation is not None
            self._save_and_stop(trainer, self._before_validation)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop_in_validation(self, trainer: Any) -> None:
        """Before each batch of a validation, which is done again from its start when training goes on."""
        if self._stop_requested and not trainer._distributed:
            raise _StopInValidation

    def all_reduce(self, done: torch.Tensor, trainer: Any) -> None:
        """
        The sum of `done` over processes: whether any has finished its epoch. A request to stop travels with it, so that
        all processes stop after the same step and none waits for another.
        """
        finished, first = bool(done.item()), self._at_first_batch
        self._at_first_batch = False
        if self._training and self._stop_requested and (finished or first):
            done += _STOP
        dist.all_reduce(done, dist.ReduceOp.SUM)
        stops = int(done.item()) >= _STOP
        done %= _STOP
        if stops and first:
            assert self._between_steps is not None
            self._save_and_stop(trainer, {"now": self._between_steps})
        self._stop_agreed |= stops

    def _save_and_stop(self, trainer: Any, instead: Optional[Dict[str, Any]] = None) -> None:
        if trainer._checkpointer is None:
            logger.warning("stopped without a checkpoint: the configuration has no checkpointer")
        else:
            self._instead = instead
            trainer._checkpointer.save_checkpoint(trainer)
            logger.warning("stopped; a checkpoint is in %s: go on with --recover", trainer._serialization_dir)
        raise KeyboardInterrupt

    # --- Where the trainer is

    def begin_epoch(self, trainer: Any) -> None:
        """At the start of each epoch, before the data loader draws any random number."""
        epoch = trainer._epochs_completed
        self.losses = (0.0, None)
        starts = self._restored["epoch_starts"] if self._restored is not None else []
        if epoch < len(starts):
            RandomState.set(starts[epoch])
        self._epoch_starts[epoch:] = [RandomState.get()]
        self._between_steps = self._epoch_starts[epoch]
        self._training = True

    def skipped(self, trainer: Any, losses: Losses) -> Losses:
        """After each step that was done before the restart; after the last one, all is as it was at the checkpoint."""
        epoch, batch = trainer._start_after_epochs_completed, trainer._start_after_batches_in_epoch_completed
        here = (trainer._epochs_completed, trainer._batches_in_epoch_completed)
        if self._restored is not None and here == (epoch, batch):
            RandomState.set(self._restored["now"])
            MetricState.set(trainer.model, self._restored["metrics"])
            self.losses = tuple(self._restored["losses"])
            self._between_steps = self._restored["now"]
            return self.losses
        return losses

    def begin_step(self) -> None:
        self._at_first_batch = True

    def end_step(self, trainer: Any) -> None:
        """After each step and its checkpoint, if there was one."""
        if trainer._distributed:
            self._between_steps = RandomState.get()
        elif self._stop_requested:
            self._save_and_stop(trainer)

    def end_epoch(self, trainer: Any) -> None:
        """After the last step of all processes, before metrics are read and reset."""
        self._training = self._at_first_batch = False
        if self._stop_agreed:
            self._save_and_stop(trainer)
        self._before_validation = self._moment(trainer)

    # --- The share of a checkpoint

    _instead: Optional[Dict[str, Any]] = None
    """What a checkpoint holds in place of this moment's state, when training stops a little after the moment."""

    def state(self, trainer: Any) -> Dict[str, Any]:
        """What `restore` needs. A process other than the first writes its own to a file."""
        epochs = trainer._epochs_completed
        state = {**self._moment(trainer), **(self._instead or {})}
        starts = self._epoch_starts[: epochs + 1]
        if len(starts) == epochs:  # Between two epochs: the next one starts here.
            starts = [*starts, state["now"]]
        state["epoch_starts"] = starts
        if _keeps_own_file(trainer) and trainer._checkpointer is not None:
            save_tensors(state, _own_file(trainer, epochs, trainer._batches_in_epoch_completed))
        return state

    def restore(self, trainer: Any, training_state: Dict[str, Any]) -> None:
        """From a training state that `state` is a part of, or that AllenNLP itself wrote."""
        state = training_state.get("continuation")
        if state is not None and _keeps_own_file(trainer):
            file = _own_file(trainer, training_state["epochs_completed"], training_state["batches_in_epoch_completed"])
            state = load_tensors(file) if os.path.isfile(file) else None
        if state is None:
            logger.warning("the checkpoint holds no random states: training goes on, but not as it would have")
            return
        self._restored = state
        self._epoch_starts = list(state["epoch_starts"])
        if trainer._scaler is not None and state["scaler"]:
            trainer._scaler.load_state_dict(state["scaler"])

    def _moment(self, trainer: Any) -> Dict[str, Any]:
        return {
            "now": RandomState.get(),
            "losses": list(self.losses),
            "metrics": MetricState.get(trainer.model),
            "scaler": trainer._scaler.state_dict() if trainer._scaler is not None else {},
        }


def mend_best_model(trainer: Any) -> None:
    """
    After a restart from the end of an epoch. AllenNLP writes the checkpoint first and the best weights then, so a kill
    may have come between; and the checkpoint names the best weights of the epoch before.
    """
    if trainer._start_after_batches_in_epoch_completed or not trainer._serialization_dir:
        return
    tracker = trainer._metric_tracker
    sharded = trainer._ddp_wrapped_model is not None and trainer._ddp_wrapped_model.is_sharded
    if tracker.best_epoch is None or not tracker.is_best_so_far() or sharded:
        return
    best = os.path.join(trainer._serialization_dir, "best.th")
    if trainer._primary:
        if trainer._moving_average is not None:
            trainer._moving_average.assign_average_value()
        try:
            trainer._save_model_state(best)
        finally:
            if trainer._moving_average is not None:
                trainer._moving_average.restore()
    trainer._best_model_filename = best


def has_stopped_early(trainer: Any) -> bool:
    """Whether the checkpoint that training goes on from is the one at which it ran out of patience."""
    return (
        trainer._epochs_completed == trainer._start_after_epochs_completed
        and trainer._start_after_batches_in_epoch_completed == 0
        and trainer._metric_tracker.should_stop_early()
    )


def metrics_of_skipped_epoch(trainer: Any, epoch: int) -> Dict[str, Any]:
    """As the earlier process wrote them: no later epoch may follow to replace them."""
    file = os.path.join(trainer._serialization_dir or "", f"metrics_epoch_{epoch}.json")
    if not trainer._serialization_dir or not os.path.isfile(file):
        return {}
    with open(file) as metrics:
        return json.load(metrics)


def evaluates_unevenly(model: torch.nn.Module) -> bool:
    """
    Whether the model's metrics are added up over processes at the end of an evaluation, and not batch by batch: then
    processes may have different numbers of batches, and none needs to be left out.
    """
    return getattr(model, "uneven_validation", False)


class _StopInValidation(BaseException):
    """Validation is left; the checkpoint is made where the moving average, if any, is no longer in the model."""


def _as_a_worker(number: int) -> None:
    """Ctrl-C reaches all processes: a worker lets the first one decide. Anything else ends it, as without a handler."""
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _keeps_own_file(trainer: Any) -> bool:
    return trainer._distributed and trainer._rank != 0 and not trainer._ddp_wrapped_model.is_sharded


def _own_file(trainer: Any, epochs: int, batches: int) -> str:
    name = trainer._checkpointer._training_state_path(epochs, batches)
    return f"{name[: -len('.th')]}_rank{trainer._rank}.th"


def _metrics(owner: Any, prefix: str = "", seen: Optional[Set[int]] = None) -> Iterator[Tuple[str, Metric]]:
    """All metrics of a model by name, those inside others, lists and dictionaries too."""
    seen = set() if seen is None else seen
    if id(owner) in seen:
        return
    seen.add(id(owner))
    if isinstance(owner, Metric):
        yield prefix, owner
    if isinstance(owner, (torch.nn.Module, Metric)):
        parts: Any = vars(owner).items()
    elif isinstance(owner, dict):
        parts = owner.items()
    elif isinstance(owner, (list, tuple)):
        parts = enumerate(owner)
    else:
        return
    for name, part in parts:
        if not isinstance(part, (str, bytes, int, float, torch.Tensor)):
            yield from _metrics(part, f"{prefix}.{name}", seen)


def _is_plain(value: Any) -> bool:
    """Whether `torch.load(..., weights_only=True)` reads it back."""
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if type(value) in (list, tuple, set):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str, torch.Tensor, numpy.generic, numpy.ndarray))
