"""
What the port of AllenNLP calls where the published code was changed. `shell_scripts/port_allennlp.py` puts this file
into the wheel as `allennlp/common/port.py`.
"""

import errno
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
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

import numpy
import torch
import torch.multiprocessing as mp
import tqdm
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
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it asks for {wanted[1]}" if wanted else str(error).split("\n")[0]
        raise ConfigurationError(
            f"{name}: not loaded, since it is not a file of tensors alone, and any other pickle could execute code "
            f"({reason}). Save the weights again with safetensors, or as torch.save(model.state_dict(), ...)."
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"{name}: cannot be read, it is truncated or no file of tensors ({type(error).__name__}: {error})"
        ) from error


@contextmanager
def writing_beside(path: PathOrStr) -> Iterator[str]:
    """
    Yields where to write; the file then takes its name in one step. At any moment there is the old file, the new one or
    none; after an error nothing else is there.
    """
    beside = f"{os.fspath(path)}.part"
    if os.path.isdir(path):
        raise ConfigurationError(f"{path}: a file is written here, and there is a folder; move that away")
    try:
        with naming_a_full_disk(path):
            Path(beside).unlink(missing_ok=True)  # It may be a second name of a whole file, of one that was killed.
            yield beside
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def save_tensors(state: Any, path: PathOrStr) -> None:
    """`torch.save`; the file appears whole, and its bytes do not depend on its name."""
    with writing_beside(path) as beside, open(beside, "wb") as file:
        torch.save(state, file)


def link_or_copy(source: PathOrStr, target: PathOrStr) -> None:
    """A second name for a file, or a copy where file systems differ; `target` is replaced in one step."""
    from allennlp.common.file_utils import hardlink_or_copy

    with writing_beside(target) as beside:
        hardlink_or_copy(source, beside)


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
        with tarfile.open(archive, "r:gz") as tar, naming_a_full_disk(folder):
            tar.extractall(folder, filter="data")
            # At a damaged header `tarfile` takes the archive for ended; what follows shows that it is damaged.
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass
    except tarfile.FilterError as error:
        raise ConfigurationError(f"{archive}: not extracted, it would write outside its folder: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, FileNotFoundError) or full_disk(error) is not None:
            raise
        raise ConfigurationError(f"{archive}: truncated, or not a tar.gz archive ({error})") from error


@contextmanager
def writing_tar(archive: PathOrStr) -> Iterator[tarfile.TarFile]:
    """A tar.gz written beside `archive` and renamed into place. Weights hardly compress: quick beats small."""
    with writing_beside(archive) as beside, tarfile.open(beside, "w:gz", compresslevel=1) as tar:
        yield tar


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
    try:
        content = json.loads(config.read_bytes())
    except RecursionError as error:
        raise ConfigurationError(f"{archive}: {config.name}: nested too deep to be read") from error
    except ValueError:  # What is no JSON is left to jsonnet.
        return
    check_file(content, f"{archive}: {config.name}")


# --- Predictions


def check_writable(outputs: Sequence[Optional[str]], inputs: Sequence[Optional[PathOrStr]]) -> None:
    """
    # Parameters

    outputs : `Sequence[Optional[str]]`
        Names of files that are to be written, several with commas between them.
    inputs : `Sequence[Optional[PathOrStr]]`
        What is read meanwhile; of an archive that is a folder, all files in it.

    # Raises

    `ConfigurationError` if an output cannot be written, is named twice, or is an input.
    """
    seen: Set[Path] = set()
    read = {path for listed in inputs if listed for name in str(listed).split(",") for path in _files_of(Path(name))}
    for name in (part for listed in outputs if listed for part in listed.split(",")):
        folder, file = Path(name).absolute().parent, Path(name).resolve()
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ConfigurationError(f"{name}: cannot be written, {folder} is no folder to write in")
        if file.is_dir():
            raise ConfigurationError(f"{name}: cannot be written, it is a folder")
        if file in seen:
            raise ConfigurationError(f"{name}: two outputs have this name")
        if file in read:
            raise ConfigurationError(f"{name}: cannot be written, it is read; name another file")
        seen.add(file)


def _files_of(path: Path) -> Iterator[Path]:
    yield path.resolve()
    if path.is_dir():
        yield from (file.resolve() for file in path.rglob("*") if file.suffix in _OF_AN_ARCHIVE)


_OF_AN_ARCHIVE = (".th", ".json", ".txt", ".gz", ".safetensors")


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
        others = "files of other kinds are read with --use-dataset-reader"
        raise ConfigurationError(f"{name}:{number}: not valid JSON ({error}); {others}") from error
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

    `ConfigurationError` if an input of `evaluate` is no path, from which an output could have its name, or an output.
    """
    if not all(isinstance(path, str) for path in inputs):
        raise ConfigurationError("--auto-names needs inputs that are files; name the outputs of JSON yourself")
    for path in inputs:
        if Path(path).suffix in (".outputs", ".preds"):
            raise ConfigurationError(f"{path}: has the name of an output of --auto-names; name the outputs yourself")


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
    except (AssertionError, KeyError, ValueError) as error:
        message = str(error.args[0]) if error.args else ""
        # A key alone is what a program has not thought of; of a sentence somebody has.
        if " " not in message or not _refused_by_a_constructor(error):
            raise
        raise ConfigurationError(f'"{where[:-1]}": {message}' if where else message) from error


def _environment(name: str, default: Any) -> Any:
    return os.environ.get(name, default)


OVERRIDES = "-o/--overrides"
"""What jsonnet calls the text that overrides settings, in its messages."""

# One-letter parameter names: the binding of jsonnet 0.22 mixes up longer ones.
NATIVE_CALLBACKS = {"env": (("n", "d"), _environment)}
"""In a configuration, `std.native('env')('NAME', 'default')` is the environment variable NAME, or the default."""


def uninterrupted(read: Callable[..., Any]) -> Callable[..., Any]:
    """
    `read`, which calls back from C and would take an interruption there for an error of the configuration: signals wait
    until it is done.
    """

    @functools.wraps(read)
    def wait(*arguments: Any, **settings: Any) -> Any:
        came: List[int] = []
        try:
            before = {
                number: signal.signal(number, lambda came_now, _frame: came.append(came_now))
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        except ValueError:  # Not in the main thread: signals are someone else's.
            return read(*arguments, **settings)
        try:
            return read(*arguments, **settings)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for late in came:
                signal.raise_signal(late)

    return wait


# --- A full disk

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SAYS_FULL = re.compile(r"No space left on device|disk is full|Disk quota exceeded|\(os error (27|28|122)\)")
_SAYS_CUT = re.compile(r"^\d+ requested and \d+ written|: write error in ")
"""numpy's words and faiss's, which may come without the system's."""
_LITTLE = 1 << 20
"""A disk with fewer bytes is full, as the next block of a file does not fit."""


def full_disk(error: BaseException, place: Optional[PathOrStr] = None) -> Optional[OSError]:
    """
    If this is how a full disk showed, in the words of whatever library, the system's error for it.

    # Parameters

    place : `str`, optional
        Where it was written, for errors that do not say so.
    """
    cause: Optional[BaseException] = error
    while cause is not None:
        text = str(cause)
        number = getattr(cause, "errno", None)
        file = getattr(cause, "filename2", None) or getattr(cause, "filename", None)  # Of a copy the second is written.
        if isinstance(cause, OSError) and number in _FULL:
            return OSError(number, cause.strerror, file or _named(place))
        if _SAYS_FULL.search(text) or (_SAYS_CUT.search(text) and _full(_written_to() if place is None else [place])):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file or _named(place))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


@contextmanager
def naming_a_full_disk(place: Optional[PathOrStr] = None) -> Iterator[None]:
    """An error of a full disk within it is the system's, whoever met it, and says where that is, if that is known."""
    try:
        yield
    except Exception as error:
        full = full_disk(error, place)
        if full is None or getattr(error, "filename", None) is not None:
            raise
        raise full from error


@contextmanager
def naming_damage(vocabulary: PathOrStr) -> Iterator[None]:
    """
    # Raises

    `ConfigurationError`, naming the folder of the vocabulary that is read, if its files are none of texts.
    """
    try:
        yield
    except (UnicodeDecodeError, AssertionError) as error:
        raise ConfigurationError(
            f"{vocabulary}: a damaged vocabulary ({error}); its archive has a whole one"
        ) from error


def _named(place: Optional[PathOrStr]) -> Optional[PathOrStr]:
    """`place`, or the full ones among all that is written to, if it is not full and they are."""
    return place if place is None or _full([place]) else ", ".join(_full(_written_to())) or place


def _written_to() -> List[PathOrStr]:
    """What a command may write to."""
    return [*(part for argument in sys.argv[1:] for part in argument.split(",")), ".", tempfile.gettempdir()]


def _full(places: Iterable[PathOrStr]) -> List[str]:
    """The folders, of each place itself or what holds it, whose disk is full."""
    folders: Dict[str, None] = {}
    for place in places:
        path = Path(os.path.abspath(place))
        folders[next(str(folder) for folder in (path, *path.parents) if os.path.isdir(folder))] = None
    return [folder for folder in folders if shutil.disk_usage(folder).free < _LITTLE]


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
    full = full_disk(error)
    if full is not None:
        where = full.filename or ", ".join(_full(_written_to()))
        return f"{where}: the disk is full ({full.strerror})" if where else f"a disk is full ({full.strerror})"
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
        for handler in logging.root.handlers:
            handler.addFilter(on_a_line_of_its_own)
        main()
    except KeyboardInterrupt:
        _end_progress()
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        _end_progress()
        if _is_sigterm(error):
            print("terminated", file=sys.stderr)
            sys.exit(143)
        message = users_mistake(error)
        if message is None or os.environ.get("ALLENNLP_DEBUG"):
            raise
        print(f"error: {message.strip()}\n(ALLENNLP_DEBUG=1 shows the traceback)", file=sys.stderr)
        sys.exit(1)


class LogFile(logging.FileHandler):
    """A log that cannot be written stops the command, in place of a traceback for each line."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            return super().handleError(record)
        with naming_a_full_disk(self.baseFilename):
            raise


def on_a_line_of_its_own(_record: Any) -> bool:
    """A filter of logging, which lets all pass: what is logged does not begin in a line of progress."""
    if _bars():
        sys.stderr.write("\n")
    return True


def _end_progress() -> None:
    """Whatever comes next begins on a line of its own."""
    for bar in _bars():
        bar.close()


def _bars() -> List[Any]:
    return list(getattr(tqdm.std.tqdm, "_instances", ()))


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
    values: an error of another type raised in it, and not in what it calls.
    """
    frames = traceback.extract_tb(error.__traceback__)
    makes = [number for number, frame in enumerate(frames, 1) if frame.filename.endswith(_FROM_PARAMS)]
    if not makes:
        return False
    made = frames[makes[-1] :]
    if not isinstance(error, TypeError):
        return all(frame.name == "__init__" for frame in made[1:])
    return not made or ("__init__()" in str(error) and all(frame.name == "__init__" for frame in made))


def _files(error: BaseException) -> List[str]:
    """Where the error passed, the place that raised it last."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
