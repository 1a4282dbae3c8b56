"""
What the port of AllenNLP calls where the published code was changed. `shell_scripts/port_allennlp.py` puts this file
into the wheel as `allennlp/common/port.py`.
"""

import functools
import importlib
import json
import logging
import os
import pickle
import random
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zlib
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union, cast

import numpy
import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError

logger = logging.getLogger(__name__)

PathOrStr = Union[str, "os.PathLike[str]"]


class LazyModule:
    """A module that is imported when something of it is used: for dependencies that are not required."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        try:
            module = importlib.import_module(self._name)
        except Exception as error:
            raise ConfigurationError(
                f"this needs {self._name.split('.')[0]}, which cannot be imported: {error}"
            ) from error
        return getattr(module, attribute)


# --- Weights, checkpoints, archives


def load_tensors(path: PathOrStr, map_location: Any = None) -> Dict[str, Any]:
    """
    Loads a file of tensors without executing anything in it: `.safetensors`, or what `torch.save` wrote.

    # Raises

    `ConfigurationError`, naming the file, if it is truncated, or is a pickle of something else than tensors.
    """
    name = os.fspath(path)
    try:
        if name.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(name)
        return torch.load(name, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0]
        raise ConfigurationError(
            f"{name}: not loaded, since it is not a file of tensors alone, and any other pickle could execute code "
            f"({reason}). Save the weights again with safetensors, or as torch.save(model.state_dict(), ...)."
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"{name}: cannot be read, it is truncated or no file of tensors ({type(error).__name__}: {error})"
        ) from error


def save_tensors(state: Any, path: PathOrStr) -> None:
    """`torch.save`, beside `path` and renamed into place: at any moment there is the old file, the new one or none."""
    beside = f"{os.fspath(path)}.part"
    torch.save(state, beside)
    os.replace(beside, path)


def extract_tar(archive: PathOrStr, folder: PathOrStr) -> None:
    """
    # Raises

    `ConfigurationError`, naming the archive, if it is truncated, no gzipped tar, or has a member that would be written
    outside `folder`.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise ConfigurationError(f"{archive}: not extracted, it would write outside its folder: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ConfigurationError(f"{archive}: truncated, or not a tar.gz archive ({error})") from error


@contextmanager
def writing_tar(archive: PathOrStr) -> Iterator[tarfile.TarFile]:
    """A tar.gz written beside `archive` and renamed into place. Weights hardly compress: quick beats small."""
    beside = f"{os.fspath(archive)}.part"
    try:
        with tarfile.open(beside, "w:gz", compresslevel=1) as tar:
            yield tar
        os.replace(beside, archive)
    finally:
        if os.path.exists(beside):
            os.remove(beside)


# --- Exact continuation of an interrupted training


class RandomState:
    """The random generators of this process, or of each process of a distributed training."""

    @staticmethod
    def get() -> Dict[str, Any]:
        """States that `torch.load(..., weights_only=True)` reads back."""
        kind, keys, position, has_gauss, cached = cast(Tuple[Any, ...], numpy.random.get_state())
        return {
            "python": random.getstate(),
            "numpy": [kind, keys.tolist(), position, has_gauss, cached],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    @staticmethod
    def set(state: Dict[str, Any]) -> None:
        random.setstate(state["python"])
        kind, keys, position, has_gauss, cached = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))
        torch.set_rng_state(state["torch"].cpu())
        if len(state["cuda"]) == torch.cuda.device_count() and state["cuda"]:
            torch.cuda.set_rng_state_all([cuda.cpu() for cuda in state["cuda"]])


class Continuation:
    """
    What a trainer needs besides AllenNLP's own checkpoint to go on as if it had not stopped: random states at the start
    of the epoch (they make its order of rows) and at the moment (they make dropout), and the epoch's loss so far.
    """

    def __init__(self) -> None:
        self.stop_requested = False
        self.train_loss = 0.0
        self._epoch_start: Dict[str, Any] = RandomState.get()
        self._restored: Optional[Dict[str, Any]] = None

    @contextmanager
    def stopping_at_a_batch(self) -> Iterator[None]:
        """Within it the first SIGINT or SIGTERM asks for a stop after the batch; the second one stops at once."""

        def ask(number: int, _frame: Optional[FrameType]) -> None:
            if self.stop_requested:
                raise KeyboardInterrupt
            self.stop_requested = True
            logger.warning("%s: stopping after this batch; once more stops at once", signal.Signals(number).name)

        try:
            before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # Not in the main thread: signals are someone else's.
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def begin_epoch(self, trainer: Any) -> None:
        """At the start of each epoch, before the data loader draws any random number."""
        self.train_loss = 0.0
        if self._restored is not None and self._at_the_restored_epoch(trainer):
            RandomState.set(self._restored["epoch_start"])
            self._epoch_start = self._restored["epoch_start"]
        else:
            self._epoch_start = RandomState.get()

    def go_on(self) -> float:
        """
        Before each batch that is trained on, and after the last. The first call after a restart sets the random states;
        all return the epoch's loss up to there.
        """
        restored, self._restored = self._restored, None
        if restored is not None:
            RandomState.set(restored["now"])
            self.train_loss = restored["train_loss"]
        return self.train_loss

    def state(self, trainer: Any) -> Dict[str, Any]:
        """This process's share of a checkpoint; in distributed training that of all processes, by rank."""
        now = RandomState.get()
        # A checkpoint between two epochs: the next one starts here.
        between = trainer._batches_in_epoch_completed == 0
        state = {
            "epoch_start": now if between else self._epoch_start,
            "now": now,
            "train_loss": 0.0 if between else self.train_loss,
        }
        if not trainer._distributed:
            return {"ranks": [state]}
        states: List[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(states, state)
        return {"ranks": states}

    def restore(self, state: Optional[Dict[str, Any]]) -> None:
        """What `state` gave; None for a checkpoint that AllenNLP itself wrote."""
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        if state is not None and rank < len(state["ranks"]):
            self._restored = state["ranks"][rank]

    def stop_if_requested(self, trainer: Any) -> None:
        """After each batch: if a stop was asked for (of any process), saves a checkpoint and interrupts."""
        requested = torch.tensor(int(self.stop_requested), device=trainer.cuda_device)
        if trainer._distributed:
            dist.all_reduce(requested, dist.ReduceOp.MAX)
        if not int(requested):
            return
        if trainer._checkpointer is None:
            logger.warning("stopped without a checkpoint: the configuration has no checkpointer")
        else:
            trainer._checkpointer.save_checkpoint(trainer)
            logger.warning("stopped; a checkpoint is in %s: go on with --recover", trainer._serialization_dir)
        if trainer._distributed:
            dist.barrier()
        raise KeyboardInterrupt

    def _at_the_restored_epoch(self, trainer: Any) -> bool:
        return trainer._epochs_completed == trainer._start_after_epochs_completed


def evaluates_unevenly(model: torch.nn.Module) -> bool:
    """
    Whether the model's metrics are added up over processes at the end of an evaluation, and not batch by batch: then
    processes may have different numbers of batches, and none needs to be left out.
    """
    return getattr(model, "uneven_validation", False)


# --- Serialization directories


def keeping_what_was_there(train_model: Callable[..., Any]) -> Callable[..., Any]:
    """
    A training that fails by a user's mistake, or is stopped, before it has written a checkpoint leaves no directory;
    with `force`, what the directory held before comes back.
    """

    @functools.wraps(train_model)
    def guarded(
        params: Any, serialization_dir: PathOrStr, recover: bool = False, force: bool = False, **kwargs: Any
    ) -> Any:
        folder = Path(serialization_dir)
        occupied = folder.is_dir() and any(folder.iterdir())
        if recover or (occupied and not force):
            return train_model(params, serialization_dir, recover, force, **kwargs)
        aside: Optional[Path] = None
        if occupied:
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent)) / folder.name
            folder.rename(aside)
        try:
            model = train_model(params, serialization_dir, recover, force, **kwargs)
        except BaseException as error:
            clean = users_mistake(error) is not None or isinstance(error, KeyboardInterrupt)
            if clean and not any(folder.glob("*.th")):
                shutil.rmtree(folder, ignore_errors=True)
                if aside is not None:
                    aside.rename(folder)
            elif aside is not None:
                logger.warning("what %s held before is now in %s", folder, aside)
                aside = None
            raise
        finally:
            if aside is not None:
                shutil.rmtree(aside.parent, ignore_errors=True)
        return model

    return guarded


# --- Configuration


def _environment(name: str, default: Any) -> Any:
    return os.environ.get(name, default)


# One-letter parameter names: the binding of jsonnet 0.22 mixes up longer ones.
NATIVE_CALLBACKS = {"env": (("n", "d"), _environment)}
"""In a configuration, `std.native('env')('NAME', 'default')` is the environment variable NAME, or the default."""


# --- Messages


def users_mistake(error: BaseException) -> Optional[str]:
    """The one message that a user's mistake deserves; None if the error may be a bug, whose traceback is needed."""
    text = str(error)
    name = type(error).__name__
    if name in ("WorkerError", "ProcessRaisedException"):
        found = re.search(r"ConfigurationError: (.+?)\s*\Z", text, re.DOTALL)
        return found.group(1) if found else None
    if isinstance(error, ConfigurationError):
        return text
    if isinstance(error, RuntimeError) and text.startswith(("RUNTIME ERROR", "STATIC ERROR", "INTERNAL ERROR")):
        return _jsonnet_message(text)
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {text}"
    if isinstance(error, (OSError, tarfile.TarError, pickle.UnpicklingError, ModuleNotFoundError)):
        return text
    # A value that a constructor does not take, met while objects were made from the configuration.
    if isinstance(error, (TypeError, ValueError)) and _while_constructing(error):
        return text
    return None


def run(main: Callable[[], None]) -> None:
    """Runs a command: a user's mistake is one message on stderr and exit status 1, an interruption exit status 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = users_mistake(error)
        if message is None or os.environ.get("ALLENNLP_DEBUG"):
            raise
        print(f"error: {message.strip()}\n(ALLENNLP_DEBUG=1 shows the traceback)", file=sys.stderr)
        sys.exit(1)


def _jsonnet_message(text: str) -> str:
    undefined = re.search(r"undefined external variable: (\w+)", text)
    if undefined is None:
        return text
    place = re.search(r"^\s*(\S+):\d+:", text, re.MULTILINE)
    where = f"{place.group(1)}: " if place else ""
    variable = undefined.group(1)
    return (
        f"{where}the configuration reads the environment variable {variable}, which is not set and has no default; "
        f"set it with: export {variable}=..."
    )


def _while_constructing(error: BaseException) -> bool:
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(file.endswith(os.path.join("common", "from_params.py")) for file in files) and not any(
        file.endswith("gradient_descent_trainer.py") for file in files
    )
