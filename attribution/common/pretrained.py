"""What a pretrained model is, beside its name, and its weights, all of them or none."""

import copy
import hashlib
import inspect
import logging
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional
from urllib.parse import urlparse
from urllib.request import getproxies

import torch
from allennlp.common.checks import ConfigurationError
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.utils import HFValidationError, validate_repo_id
from transformers.utils import CONFIG_NAME
from transformers.utils import logging as transformers_logging

from attribution.common.manifest import fingerprint

logger = logging.getLogger(__name__)


def model_identity(model_name: str) -> Dict[str, str]:
    """
    Of a local folder the hash of its files, wherever it lies; of a hub id the commit.

    # Raises

    `ConfigurationError` if there is no such model.
    """
    check_there(model_name)
    folder = Path(model_name)
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
        digest = hashlib.sha256()
        for path in files:
            digest.update(f"{path.relative_to(folder)} {fingerprint(path)['sha256']}\n".encode())
        return {"files": digest.hexdigest()}
    from transformers.utils import cached_file

    try:
        config = str(cached_file(model_name, CONFIG_NAME))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"model_name {model_name}: no such folder, and not on the hub ({error})") from error
    return {"hub": model_name, "commit": Path(config).parent.name}  # In the cache a folder is named by its commit.


def check_there(model_name: str) -> None:
    """
    Before anything of `transformers` looks for a model: on the hub it would look for half a minute.

    # Raises

    `ConfigurationError` if the name is no hub id, or of a folder that others lie beside, and there is no such folder;
    or if it is neither there nor in the cache, and the hub cannot be reached.
    """
    folder = Path(model_name)
    if folder.is_dir():
        return
    try:
        validate_repo_id(model_name)
        named_as_a_path = folder.parent != Path() and folder.parent.is_dir()
    except HFValidationError:
        named_as_a_path = True
    if named_as_a_path:
        raise ConfigurationError(f"model_name {model_name}: no such folder")
    if not isinstance(try_to_load_from_cache(model_name, CONFIG_NAME), str) and not _hub_may_be_there():
        raise ConfigurationError(f"model_name {model_name}: no such folder, and the hub cannot be reached")


def _hub_may_be_there() -> bool:
    if constants.HF_HUB_OFFLINE or getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(urlparse(constants.ENDPOINT).hostname, None))
    except OSError:
        return False


_TABLES = ("position_embeddings", "embed_positions", "wpe", "pos_encoding")

# Where the limit is in the code only: the setting that has it.
_LIMITING_SETTINGS = {
    "doge": "keep_window_size",  # Of more tokens it drops some, and among equals rounding says which.
    "mpt": "max_seq_len",  # Its slopes are made for so many positions.
    "reformer": "max_position_embeddings",  # Its positions are a product of two tables.
}


def learned_positions(transformer: Any) -> Optional[int]:
    """The longest text that a model with a table of positions can read; None if it has no such limit."""
    limits = [
        limit
        for name, module in transformer.named_modules()
        for limit in (_rows_left(name, module), *_fixed_positions(module))
        if limit is not None
    ]
    config = getattr(transformer, "config", None)
    setting = _LIMITING_SETTINGS.get(getattr(config, "model_type", ""))
    if setting is not None:
        limits.append(getattr(config, setting))
    return min(limits, default=None)


def _rows_left(name: str, module: torch.nn.Module) -> Optional[int]:
    """
    Of a table of positions the rows that positions may have: BART's begin at an offset, and RoBERTa's, which count the
    tokens that are no padding, behind the padding's row.
    """
    table = getattr(module, "weight", None)
    grows = hasattr(module, "make_weight")  # FSMT's sinusoids
    if name.rpartition(".")[2] not in _TABLES or not isinstance(table, torch.Tensor) or grows:
        return None
    padding = getattr(module, "padding_idx", None)
    return table.size(0) - getattr(module, "offset", 0 if padding is None else padding + 1)


def _fixed_positions(module: torch.nn.Module) -> Iterator[int]:
    """
    Of fixed tables (CTRL, GPT-J; no buffers in transformers 4) the rows, and of stored ids of positions how many there
    are.
    """
    for name in _TABLES:
        table = getattr(module, name, None)
        if isinstance(table, torch.Tensor) and not isinstance(table, torch.nn.Parameter) and table.ndim == 2:
            yield table.size(0)
    children = " ".join(name for name, _ in module.named_children())
    for name, buffer in module.named_buffers(recurse=False):
        # Rotary models may have them, too, and do not read them; an image model's are places of patches.
        if name == "position_ids" and "position" in children and "patch" not in children:
            yield buffer.size(-1)


def mask_argument(transformer: Any, mask: torch.Tensor) -> Dict[str, torch.Tensor]:
    """The attention mask as an argument, if the model takes one: FNet, of transformers 4, does not."""
    parameters = inspect.signature(transformer.forward).parameters
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return {"attention_mask": mask.long()} if anything or "attention_mask" in parameters else {}


def load_pretrained(
    auto: Any,
    model_name: str,
    config: Any = None,
    may_lack: Callable[[torch.nn.Module, str], bool] = lambda model, name: False,
    headless: str = "name one that was trained with it",
    **settings: Any,
) -> Any:
    """
    A pretrained model in float32, none of whose weights are made up: `transformers` fills in random ones for what a
    folder lacks, and goes on.

    # Parameters

    auto : `Any`
        The class of `transformers` to load by, such as `AutoModel`.
    model_name : `str`
        A hub id or a local folder.
    config : `Any`, optional
        The configuration to build by; by default what is found there.
    may_lack : `Callable[[torch.nn.Module, str], bool]`, optional
        Whether this model may do without the weight of this name, as nobody reads it or it is to be trained; by default
        it may lack nothing. What it lacks is then named in the log.
    headless : `str`, optional
        What to do about a folder that lacks the head alone.
    settings : `Any`
        Handed on to `from_pretrained`.

    # Raises

    `ConfigurationError` if there is no such model, it cannot be built or read, or weights are missing or have another
    shape.
    """
    if config is not None:
        settings["config"] = config
    with configuration_errors(model_name, config), _quiet():
        # Weights of another shape would else end in an error that speaks of a report, which is not shown.
        model, found = auto.from_pretrained(
            model_name, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True, **settings
        )
    model = model.float()  # Apertus, of transformers 4, has weights of another kind.
    missing = [name for name in sorted(found["missing_keys"]) if not _is_computed(model, name)]
    reason = "the folder is not whole, or its config.json is another model's (it may say more layers than there are)"
    # With both shapes, or in transformers 4 the names alone.
    shapes = sorted(own if isinstance(own, str) else str(own[0]) for own in found["mismatched_keys"])
    _refuse_any(
        shapes, "have another shape", model_name, model, "the folder is not whole, or other sizes are asked for"
    )
    lacked = [name for name in missing if not may_lack(model, name)]
    if not any(_in_base(model, name) for name in lacked):
        reason = f"the folder holds a base model without this head; {headless}"
    _refuse_any(lacked, "are missing", model_name, model, reason)
    if missing:
        logger.warning("%s: has no %s: untrained", model_name, ", ".join(missing))
    return model


def _refuse_any(names: List[str], problem: str, model_name: str, model: Any, reason: str) -> None:
    if names:
        raise ConfigurationError(
            f"model_name {model_name}: {len(names)} weights of {type(model).__name__} {problem}, the first: "
            f"{', '.join(names[:3])}: {reason}"
        )


@contextmanager
def configuration_errors(model_name: str, config: Any = None) -> Iterator[None]:
    """
    Around what builds or loads a model of `transformers`.

    # Raises

    `ConfigurationError` in the place of any other: `transformers` and its models' own code raise whatever happens to
    go wrong first, an `AttributeError` of a configuration that is another class's as well as an `OSError`.
    """
    check_there(model_name)
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:
        kind = "" if config is None else f" as a {config.model_type} model"
        raise ConfigurationError(
            f"model_name {model_name}: cannot be loaded{kind} ({type(error).__name__}: {error})"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """What `transformers` says of left-over and missing weights is not shown: `load_pretrained` says it itself."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _in_base(model: Any, name: str) -> bool:
    """Whether a weight is the base model's and not a head's, which is what a task adds to it."""
    base = getattr(model, "base_model", model)
    prefix = getattr(model, "base_model_prefix", "")
    return base is model or name.startswith(f"{prefix}.")


def _is_computed(model: Any, name: str) -> bool:
    """Whether a weight is a fixed table, such as Marian's sinusoids, which need not be saved."""
    own = model.get_submodule(name.rpartition(".")[0])
    if not isinstance(own, torch.nn.Embedding):
        return False
    module = copy.deepcopy(own)
    with torch.no_grad(), torch.random.fork_rng():
        torch.nn.init.normal_(module.weight)
        model._init_weights(module)
    return torch.equal(module.weight, own.weight)


def is_pooler(model: torch.nn.Module, name: str) -> bool:
    """Of a weight: no token's state depends on it."""
    return "pooler" in name.split(".")


def is_head(model: torch.nn.Module, name: str) -> bool:
    """Of a weight: a pretrained base model need not have it, and training for a task makes it."""
    return not _in_base(model, name) or is_pooler(model, name)
