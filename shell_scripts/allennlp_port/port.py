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
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy
import torch
import torch.multiprocessing as mp
from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import EXAMPLE, check_file, nearest

PathOrStr = Union[str, "os.PathLike[str]"]


class LazyModule:
    """A module that is imported when something of it is used: not required, or slow to import."""

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

            device = str(map_location) if isinstance(map_location, (str, torch.device)) else "cpu"
            return load_file(name, device=device)
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


def link_or_copy(source: PathOrStr, target: PathOrStr) -> None:
    """A second name for a file, or a copy where file systems differ; `target` is replaced in one step."""
    from allennlp.common.file_utils import hardlink_or_copy

    beside = f"{os.fspath(target)}.part"
    Path(beside).unlink(missing_ok=True)
    hardlink_or_copy(source, beside)
    os.replace(beside, target)


def plain(value: Any) -> Any:
    """
    `value` with numpy's numbers as Python's and special dictionaries as plain ones: what a checkpoint may hold and
    still be read without executing anything.
    """
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(plain(item) for item in value)
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        return torch.from_numpy(value)
    return value


def extract_tar(archive: PathOrStr, folder: PathOrStr) -> None:
    """
    # Raises

    `ConfigurationError`, naming the archive, if it is truncated, no gzipped tar, or has a member that would be written
    outside `folder`.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")
            # At a damaged header `tarfile` takes the archive for ended; what follows shows that it is damaged.
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass
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


def check_archive(archive: PathOrStr, weights: PathOrStr) -> None:
    """
    # Raises

    `ConfigurationError`, naming the archive, if its weights, or the configuration beside them, are not in it, or that
    is JSON, but no object.
    """
    config = Path(weights).with_name("config.json")
    for path in (config, Path(weights)):
        if not path.is_file():
            raise ConfigurationError(f"{archive}: no archive of a model, there is no {path.name} in it")
    with suppress(ValueError):  # What is no JSON is left to jsonnet.
        check_file(json.loads(config.read_bytes()), f"{archive}: {config.name}")


# --- Predictions


class WholeFile:
    """A text file that takes its name when it is closed, and not before."""

    def __init__(self, path: PathOrStr) -> None:
        self._path = os.fspath(path)
        self._file = open(self._path + ".part", "w", encoding="utf-8")  # noqa: SIM115  `close` or `discard` closes it.

    def write(self, text: str) -> None:
        self._file.write(text)

    def close(self) -> None:
        self._file.close()
        os.replace(self._file.name, self._path)

    def discard(self) -> None:
        self._file.close()
        os.remove(self._file.name)


def check_writable(*names: Optional[str]) -> None:
    """
    # Parameters

    names : `Optional[str]`
        Of files that are to be written, several with commas between them.

    # Raises

    `ConfigurationError` if one cannot be.
    """
    for name in (part for listed in names if listed for part in listed.split(",")):
        folder = Path(name).absolute().parent
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ConfigurationError(f"{name}: cannot be written, {folder} is no folder to write in")


@contextmanager
def whole_or_nothing(file: Optional[WholeFile]) -> Iterator[None]:
    """`file` is not there after a failure in the block."""
    try:
        yield
    except BaseException:
        if file is not None:
            file.discard()
        raise


class GivenRow(Dict[str, Any]):
    """What stands on a line, and its place, `file:line`, for messages."""

    def __init__(self, content: Dict[str, Any], where: str) -> None:
        super().__init__(content)
        self.where = where


def json_lines(predictor: Any, lines: Iterable[str], name: str) -> Iterator[GivenRow]:
    """
    Each line as the predictor loads it; blank ones are left out.

    # Raises

    `ConfigurationError`, naming the line, if one is no JSON object, the file is no UTF-8 text, is cut short, or nothing
    is in it.
    """
    number = 0
    found = False
    try:
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                content = predictor.load_line(line if number > 1 else line.removeprefix("\ufeff"))
                if not isinstance(content, dict):
                    raise ConfigurationError(f"{name}:{number}: not a JSON object, but {type(content).__name__}")
                found = True
                yield GivenRow(content, f"{name}:{number}")
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{name}:{number}: not valid JSON ({error})") from error
    except (EOFError, OSError, zlib.error) as error:
        raise ConfigurationError(f"{name}: cut short or damaged after line {number} ({error})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8 text after line {number} ({error})") from error
    if not found:
        raise ConfigurationError(f"{name}: has no lines")


def check_outputs(option: str, outputs: Sequence[Any], inputs: Sequence[Any]) -> None:
    """
    # Raises

    `ConfigurationError` if there is not an output for each input of `evaluate`.
    """
    if len(outputs) != len(inputs):
        raise ConfigurationError(
            f"{option} names {len(outputs)} for {len(inputs)} inputs; name one for each, with commas between them"
        )


def check_paths(inputs: Sequence[Any]) -> None:
    """
    # Raises

    `ConfigurationError` if an input of `evaluate` is no path, from which an output could have its name.
    """
    if not all(isinstance(path, str) for path in inputs):
        raise ConfigurationError("--auto-names needs inputs that are files; name the outputs of JSON yourself")


# --- Serialization directories


def keeping_what_was_there(train_model: Callable[..., Any]) -> Callable[..., Any]:
    """
    A training that fails or is stopped before it has written a checkpoint leaves nothing behind; with `force`, what the
    directory held before comes back.
    """

    @functools.wraps(train_model)
    def guarded(
        params: Any, serialization_dir: PathOrStr, recover: bool = False, force: bool = False, **kwargs: Any
    ) -> Any:
        folder = Path(serialization_dir)
        existed = folder.is_dir()
        occupied = existed and any(folder.iterdir())
        if recover or (occupied and not force) or folder.is_symlink():
            return train_model(params, serialization_dir, recover, force, **kwargs)
        aside: Optional[Path] = None
        if occupied:
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent)) / folder.name
            folder.rename(aside)
        try:
            return train_model(params, serialization_dir, recover, force, **kwargs)
        except BaseException:
            if not any(folder.glob("*.th")):
                shutil.rmtree(folder, ignore_errors=True)
                if aside is not None:
                    aside.rename(folder)
                elif existed:
                    folder.mkdir(exist_ok=True)
            raise
        finally:
            if aside is not None:
                shutil.rmtree(aside.parent, ignore_errors=True)

    return guarded


# --- Several processes

INTERRUPTION_FROM_PARENT = getattr(signal, "SIGUSR1", signal.SIGTERM)
"""The signal by which an interruption reaches all processes of a distributed training, however it came."""


def spawn(function: Callable[..., None], args: Tuple[Any, ...], nprocs: int) -> None:
    """
    `torch.multiprocessing.spawn`, which tells all processes of an interruption, waits until they have stopped, and
    shows a user's mistake as what it was.
    """
    stopped = mp.get_context("spawn").Event()
    context = mp.spawn(_in_a_spawned_process, args=(function, args, stopped), nprocs=nprocs, join=False)
    interrupted = False

    def tell(_number: int, _frame: Optional[FrameType]) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        for process in context.processes:
            if process.is_alive():
                os.kill(process.pid, INTERRUPTION_FROM_PARENT)

    try:
        before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # Not in the main thread: signals are someone else's.
        before = {}
    try:
        while not context.join(timeout=1):
            pass
    except mp.ProcessExitedException:
        if not interrupted:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for process in context.processes:
            if process.is_alive():
                process.terminate()
    if interrupted or stopped.is_set():
        raise KeyboardInterrupt


def _in_a_spawned_process(rank: int, function: Callable[..., None], args: Tuple[Any, ...], stopped: Any) -> None:
    try:
        function(rank, *args)
    except KeyboardInterrupt:
        stopped.set()
    except Exception as error:
        message = users_mistake(error)
        if message is None or os.environ.get("ALLENNLP_DEBUG"):
            raise
        raise ConfigurationError(message) from None


# --- Configuration


def device_number(cuda_device: Any) -> int:
    """
    The GPU that a setting names, by its number or as `cuda:NUMBER`, and -1 for the CPU; by default the first GPU, where
    there is one.

    # Raises

    `ConfigurationError` if there is no such GPU.
    """
    there = torch.cuda.device_count()
    text = ("0" if there else "cpu") if cuda_device is None else str(cuda_device)
    named = re.fullmatch(r"cpu|cuda|(?:cuda:)?(-?\d+)", text)
    if named is None or isinstance(cuda_device, bool):
        raise ConfigurationError(f"cuda_device is {cuda_device!r}; a GPU's number is needed, -1 for the CPU")
    number = -1 if text == "cpu" else int(named[1] or 0)
    if number >= there:
        has = f"the last one here is {there - 1}" if there else "this machine has none that torch can use"
        raise ConfigurationError(
            f"cuda_device is {cuda_device}: there is no such GPU, {has}; leave it out, or say -1 for the CPU"
        )
    return max(number, -1)


@contextmanager
def constructing(where: str) -> Iterator[None]:
    """
    # Parameters

    where : `str`
        The place of what is constructed in the configuration: empty, or `block.block.`.

    # Raises

    `ConfigurationError`, naming the place, if the constructor refuses a value.
    """
    try:
        yield
    except ValueError as error:
        if not _refused_by_a_constructor(error):
            raise
        raise ConfigurationError(f'"{where[:-1]}": {error}' if where else str(error)) from error


def _environment(name: str, default: Any) -> Any:
    return os.environ.get(name, default)


OVERRIDES = "-o/--overrides"
"""What jsonnet calls the text that overrides settings, in its messages."""

# One-letter parameter names: the binding of jsonnet 0.22 mixes up longer ones.
NATIVE_CALLBACKS = {"env": (("n", "d"), _environment)}
"""In a configuration, `std.native('env')('NAME', 'default')` is the environment variable NAME, or the default."""


# --- Messages


def log_level() -> int:
    """
    What is logged to the terminal: warnings, or what ALLENNLP_LOG_LEVEL says.

    # Raises

    `ConfigurationError` if that is no level.
    """
    if os.environ.get("ALLENNLP_DEBUG"):
        return logging.DEBUG
    name = os.environ.get("ALLENNLP_LOG_LEVEL", "WARNING")
    levels = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    if name.upper() not in levels:
        raise ConfigurationError(f"ALLENNLP_LOG_LEVEL is {name!r}; {nearest(name.upper(), levels)}")
    return logging.getLevelName(name.upper())


_PARAMS = os.path.join("allennlp", "common", "params.py")
_FROM_PARAMS = os.path.join("allennlp", "common", "from_params.py")
_MISTAKES = (ConfigurationError, OSError, tarfile.TarError, pickle.UnpicklingError)


def users_mistake(error: BaseException) -> Optional[str]:
    """The one message that a user's mistake deserves; None if the error may be a bug, whose traceback is needed."""
    text = str(error)
    if type(error).__name__ in ("WorkerError", "ProcessRaisedException"):
        return _mistake_in_another_process(text)
    if isinstance(error, RuntimeError) and text.startswith(("RUNTIME ERROR", "STATIC ERROR", "INTERNAL ERROR")):
        return _jsonnet_message(text)
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {text}"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, _MISTAKES):
        return text
    if isinstance(error, ValueError) and text == "nan loss encountered":
        return "the loss is not a number any more: lower the learning rate, or look for rows without tokens"
    if isinstance(error, KeyError) and any(file.endswith(_PARAMS) for file in _files(error)[-1:]):
        return f"the configuration lacks the key {error}, or an override has replaced the block that held it"
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    # A value that a constructor does not take, met while objects were made from the configuration.
    if isinstance(error, (TypeError, ValueError)) and _refused_by_a_constructor(error):
        return text
    return None


def run(main: Callable[[], None]) -> None:
    """Runs a command: a user's mistake is one message on stderr and exit status 1, an interruption exit status 130."""
    try:
        logging.basicConfig(format="%(asctime)s - %(levelname)s - %(name)s - %(message)s", level=log_level())
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if _is_sigterm(error):
            print("terminated", file=sys.stderr)
            sys.exit(143)
        message = users_mistake(error)
        if message is None or os.environ.get("ALLENNLP_DEBUG"):
            raise
        print(f"error: {message.strip()}\n(ALLENNLP_DEBUG=1 shows the traceback)", file=sys.stderr)
        sys.exit(1)


def _is_sigterm(error: BaseException) -> bool:
    return type(error).__name__ == "SigTermReceived"


def _jsonnet_message(text: str) -> str:
    undefined = re.search(r"undefined external variable: (\w+)", text)
    if undefined is None:
        return f"{text.strip()}\n{EXAMPLE}" if OVERRIDES in text else text
    place = re.search(r"^\s*(\S+):\d+:", text, re.MULTILINE)
    where = f"{place.group(1)}: " if place else ""
    variable = undefined.group(1)
    return (
        f"{where}the configuration reads the environment variable {variable}, which is not set and has no default; "
        f"set it with: export {variable}=..."
    )


def _mistake_in_another_process(text: str) -> Optional[str]:
    """What its traceback ends with, if that is a user's mistake."""
    after_frames = text[text.rfind('  File "') :]
    ending = re.search(r"^ {0,2}((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: (.*))?\Z", after_frames, re.MULTILINE | re.DOTALL)
    if ending is None:
        return None
    module, _, name = ending.group(1).rpartition(".")
    kind = getattr(sys.modules.get(module or "builtins"), name, None)
    if not (isinstance(kind, type) and issubclass(kind, _MISTAKES)):
        return None
    return re.sub(r"\n {2}", "\n", ending.group(2) or ending.group(1)).strip()


def _missing_package(error: ModuleNotFoundError) -> str:
    """Asked for by its name (`--include-package`), or by a line of code."""
    files = [file for file in _files(error) if not file.startswith("<frozen")]
    if files and files[-1] == importlib.__file__:
        return f"there is no package or module {error.name}, in this folder or installed"
    return f"this needs the package {error.name}, which is not installed"


def _refused_by_a_constructor(error: BaseException) -> bool:
    """
    Whether arguments did not fit a constructor or one that it hands them on to, or one of these said no to their
    values: a ValueError raised in it, and not in what it calls.
    """
    frames = traceback.extract_tb(error.__traceback__)
    makes = [number for number, frame in enumerate(frames, 1) if frame.filename.endswith(_FROM_PARAMS)]
    if not makes:
        return False
    made = frames[makes[-1] :]
    if isinstance(error, ValueError):
        return all(frame.name == "__init__" for frame in made[1:])
    return not made or ("__init__()" in str(error) and all(frame.name == "__init__" for frame in made))


def _files(error: BaseException) -> List[str]:
    """Where the error passed, the place that raised it last."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
