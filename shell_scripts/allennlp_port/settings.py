"""
Every setting of a configuration is an argument of what it makes, or is refused with the nearest name.
`shell_scripts/port_allennlp.py` puts this file into the wheel as `allennlp/common/settings.py`; `FromParams` calls it
before anything is made.
"""

import difflib
import inspect
import os
import re
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union, get_args, get_origin

from allennlp.common.checks import ConfigurationError
from allennlp.common.kinds import SETTING, UNIONS, fits, length, refusal, shown

Arguments = Dict[str, Any]
"""By name the annotation of each."""

_CLOSE = 0.6
"""The likeness of names that somebody may have mixed up, as difflib has it."""

SEEDS = ("random_seed", "numpy_seed", "pytorch_seed")

EVALUATE_USES = ("data_loader", "evaluation", *SEEDS)
"""The blocks of an archive that `evaluate` looks at, beside the model and the reader."""

_WITHOUT_ROWS = ("empty", "from_files", "from_pretrained_transformer")
"""Vocabularies that are not made of the rows' words."""


_LEAST: Dict[str, Dict[str, int]] = {
    "GradientDescentTrainer": {
        "num_epochs": 1,
        "patience": 1,
        "num_gradient_accumulation_steps": 1,
        "grad_norm": 0,
        "grad_clipping": 0,
    },
    "MultiProcessDataLoader": {
        "batch_size": 1,
        "batches_per_epoch": 1,
        "num_workers": 0,
        "max_instances_in_memory": 1,
    },
    "BatchSampler": {"batch_size": 1},
    "Checkpointer": {
        "save_every_num_seconds": 0,
        "save_every_num_batches": 1,
        "keep_most_recent_by_count": 1,
        "keep_most_recent_by_age": 0,
    },
    "Optimizer": {"lr": 0, "weight_decay": 0, "momentum": 0, "eps": 0},
    "LearningRateScheduler": {
        **dict.fromkeys(("num_epochs", "num_steps_per_epoch", "step_size", "t_initial", "ratio", "model_size"), 1),
        **dict.fromkeys(("warmup_steps", "num_steps", "cut_frac", "gamma", "power", "factor", "patience"), 0),
    },
    "MovingAverage": {"decay": 0},
    "LogWriterCallback": {"summary_interval": 1, "distribution_interval": 1},
    "DatasetReader": {"max_instances": 1},
    "distributed": {"num_nodes": 1},
}
"""What numbers of AllenNLP's classes must not be below."""
_BELOW: Dict[str, Dict[str, int]] = {"LearningRateScheduler": {"cut_frac": 1}, "MovingAverage": {"decay": 1}}
"""And what they must be below."""

EXAMPLE = """write it as in -o '{"trainer.num_epochs": 1, "model.delta": {"type": "lora"}}'"""


def check_settings(cls: type, constructor: Callable[..., Any], settings: Mapping[str, Any], where: str = "") -> None:
    """
    The settings of one object and of all that it consists of.

    # Parameters

    cls : `type`
    constructor : `Callable`
        What makes it.
    settings : `Mapping[str, Any]`
    where : `str`, optional
        The place of the settings in the configuration: empty, or `block.block.`.

    # Raises

    `ConfigurationError`, naming the setting and the nearest one, if one is no argument, or if there is no such type;
    with what is needed and what is there, if one is of another kind than its argument, or out of its range.
    """
    _check_made(cls, constructor, settings, where)


def check_experiment(settings: Mapping[str, Any]) -> None:
    """
    The configuration of a training, with the blocks that other commands, or several processes, take from it.

    # Raises

    `ConfigurationError`, as above.
    """
    from allennlp.commands.train import TrainModel
    from allennlp.evaluation import Evaluator
    from allennlp.nn.parallel import DdpAccelerator

    made, constructor = _resolve(TrainModel, settings := dict(settings), "")
    more = {
        "evaluation": Evaluator,
        "distributed": Dict[str, Any],
        "include_in_archive": Optional[List[str]],
        **dict.fromkeys(SEEDS, Optional[Union[int, str]]),
    }
    _check_made(made, constructor, settings, "", more)
    distributed = {
        "cuda_devices": Optional[List[Union[int, str]]],
        "num_nodes": int,
        "primary_address": str,
        "primary_port": Optional[int],
        "ddp_accelerator": Optional[DdpAccelerator],
    }
    _check_arguments("distributed", distributed, settings.get("distributed", {}), "distributed.")
    _check_range("distributed", settings.get("distributed", {}), "distributed.")
    _check_seeds(settings)
    _check_datasets(settings)


def _check_seeds(settings: Mapping[str, Any]) -> None:
    for name in SEEDS:
        seed = settings.get(name)
        if seed is not None and not (str(seed).isdecimal() and int(seed) < 2**32):
            raise ConfigurationError(f'"{name}" is {shown(seed)}; a whole number from 0 to 2^32 - 1 is needed')


def _check_datasets(settings: Mapping[str, Any]) -> None:
    """That what a training says of its data has data to work on."""
    there = [name for name in ("train", "validation", "test") if settings.get(f"{name}_data_path") is not None]
    named = settings.get("datasets_for_vocab_creation")
    for number, name in enumerate(named or ()):
        if name not in there:
            where = f"datasets_for_vocab_creation.{number}"
            raise ConfigurationError(f'"{where}" is {shown(name)}, which has no data path; {nearest(name, there)}')
    vocabulary = settings.get("vocabulary") or {}
    kind = vocabulary if isinstance(vocabulary, str) else vocabulary.get("type")
    in_vocabulary = "test" in named if named is not None else kind not in _WITHOUT_ROWS
    if "test" in there and not (settings.get("evaluate_on_test") or in_vocabulary):
        raise ConfigurationError('"test_data_path": nothing is done with it; "evaluate_on_test": true evaluates on it')
    if settings.get("evaluate_on_test") and "test" not in there:
        raise ConfigurationError('"evaluate_on_test" needs "test_data_path"')
    if settings.get("batch_weight_key") and not settings.get("evaluate_on_test"):
        raise ConfigurationError('"batch_weight_key" is for "evaluate_on_test" alone')


def check_archived(settings: Mapping[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError`, as above, if what an archive is made of, with what `-o` says, is not as it should be.
    """
    from allennlp.data import DataLoader, DatasetReader, Vocabulary
    from allennlp.evaluation import Evaluator
    from allennlp.models.model import Model

    readers = dict.fromkeys(("dataset_reader", "validation_dataset_reader"), Optional[DatasetReader])
    loaders = dict.fromkeys(("data_loader", "validation_data_loader"), Optional[DataLoader])
    others = {"model": Model, "vocabulary": Optional[Vocabulary], "evaluation": Optional[Evaluator]}
    for name, annotation in {**readers, **loaders, **others}.items():
        if name in settings:
            _check(annotation, settings[name], name)
    _check_seeds(settings)


def check_evaluation(overrides: Dict[str, Any], settings: Dict[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError`, as above, if `evaluate` would not take these overrides of an archive's settings.
    """
    from allennlp.common.params import with_overrides

    check_used(overrides, settings, "evaluate", *EVALUATE_USES)
    check_archived(with_overrides(settings, overrides))


def check_readable(path: Any) -> None:
    """
    # Raises

    `ConfigurationError` if what is there under the name of a configuration is no file that can be read.
    """
    if not os.path.exists(path):  # A URL, a file in an archive, or one that is missing, which is said then.
        return
    if os.path.isdir(path):
        raise ConfigurationError(f"{path}: is a directory; a configuration (jsonnet) is needed")
    if not os.path.isfile(path):
        raise ConfigurationError(f"{path}: is no regular file, but a pipe or a device; a configuration is needed")
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"{path}: may not be read by you")


def check_file(settings: Any, path: Any) -> None:
    """
    # Raises

    `ConfigurationError` if what a file holds is no object of settings.
    """
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{path}: is {shown(settings)}; an object of settings is needed")


def check_overrides(overrides: Any) -> Dict[str, Any]:
    """
    # Raises

    `ConfigurationError` if what `-o` says is no object of settings.
    """
    if not isinstance(overrides, dict):
        raise ConfigurationError(f"-o is {shown(overrides)}; {EXAMPLE}")
    for key in overrides:
        if not all(key.split(".")):
            raise ConfigurationError(f"-o: {key!r} names no setting; {EXAMPLE}")
    return overrides


def check_used(overrides: Union[str, Mapping[str, Any]], settings: Mapping[str, Any], command: str, *more: str) -> None:
    """
    # Parameters

    overrides : `Union[str, Mapping[str, Any]]`
        What `-o` says.
    settings : `Mapping[str, Any]`
        The archive's, with these.
    more : `str`
        What the command looks at, beside the model and the reader of what it is to work on.

    # Raises

    `ConfigurationError` if one changes a block that the command does not look at.
    """
    from allennlp.common.params import parse_overrides

    both = {block: f"validation_{block}" for block in ("dataset_reader", "data_loader")}
    used = {both[block] if settings.get(both.get(block, "")) else block for block in ("model", "dataset_reader", *more)}
    for key in parse_overrides(overrides) if isinstance(overrides, str) else overrides:
        if key.split(".")[0] not in used:
            raise ConfigurationError(
                f"-o: {command} does not use {key!r}; of this archive it uses {', '.join(sorted(used))}"
            )


def check_parameter_groups(optimizer: Any, groups: Optional[List[Any]], names: List[str]) -> None:
    """
    # Raises

    `ConfigurationError` if a group of an optimizer's parameters has none of the model's, trained or not, or a setting
    that the optimizer does not know: torch keeps it there, and does nothing.
    """
    if not optimizer.defaults:  # It is several optimizers.
        return
    defaults = {**optimizer.defaults, "requires_grad": True}
    known = {key: type(value) if type(value) in (bool, float) else Any for key, value in defaults.items()}
    for number, (patterns, settings) in enumerate(groups or ()):
        where = f"trainer.optimizer.parameter_groups.{number}"
        if not any(_fits_a_name(pattern, names, f"{where}.0") for pattern in patterns):
            raise ConfigurationError(
                f'"{where}.0" is {shown(patterns)}, which fits no parameter of the model, such as {names[0]!r}'
            )
        _check_arguments(type(optimizer).__name__, known, settings, f"{where}.1.")
        _check_range("Optimizer", settings, f"{where}.1.")


def check_patterns(setting: str, patterns: Iterable[str], names: List[str]) -> None:
    """
    # Raises

    `ConfigurationError` if one fits none of the names.
    """
    for pattern in patterns:
        if not _fits_a_name(pattern, names, setting):
            raise ConfigurationError(f"{setting}: {pattern!r} fits no parameter of the model, such as {names[0]!r}")


def _fits_a_name(pattern: str, names: List[str], where: str) -> bool:
    try:
        return any(re.search(pattern, name) for name in names)
    except re.error as error:
        raise ConfigurationError(f'"{where}": {pattern!r} is no pattern: {error}') from error


def arguments(cls: type, constructor: Callable[..., Any]) -> Arguments:
    """What a constructor takes; where that has `**kwargs`, they are those of the class above."""
    from allennlp.common.from_params import infer_params

    taken = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = infer_params(cls, constructor).items()
    return {
        name: Optional[one.annotation] if one.default is None else one.annotation
        for name, one in parameters
        if name != "self" and one.kind in taken
    }


def whole_number(setting: str, value: Optional[Union[int, str]], least: int) -> Optional[int]:
    """
    # Raises

    `ConfigurationError` if it is neither one of at least so much, nor the digits of one.
    """
    if value is None:
        return None
    number = int(value) if str(value).isdecimal() else None
    if number is None or number < least:
        raise ConfigurationError(f'"{setting}" is {shown(value)}; a whole number of {least} or more is needed')
    return number


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message that refuses a name: what may have been meant, or else what there is."""
    known = sorted(known)
    likeness = {other: difflib.SequenceMatcher(None, name, other).ratio() for other in known}
    best = max(likeness.values(), default=0.0)
    close = [f'"{other}"' for other in known if likeness[other] == best]
    return f"did you mean {' or '.join(close)}?" if best >= _CLOSE else f"there are: {', '.join(known) or 'none'}"


def misspelt_flags(given: Iterable[str], known: Iterable[str]) -> str:
    """The end of a message that refuses a command line: what may have been meant by options that there are not."""
    options = dict.fromkeys(one.partition("=")[0] for one in given if re.match("--?[A-Za-z]", one))
    unknown = [one for one in options if not any(other.startswith(one) or other == one[:2] for other in known)]
    long = {other.lstrip("-"): other for other in known}
    message = ""
    for one in unknown:
        close = difflib.get_close_matches(one.lstrip("-"), long, n=1, cutoff=_CLOSE)
        meant = f"did you mean {long[close[0]]}?" if close else f"there are: {', '.join(sorted(known))}"
        message += f"; {one} is not there, {meant}"
    return message


def _check_made(
    cls: type,
    constructor: Callable[..., Any],
    settings: Mapping[str, Any],
    where: str,
    more: Optional[Arguments] = None,
) -> None:
    """`more` are arguments that somebody else takes out before the object is made."""
    _check_arguments(cls.__name__, {**arguments(cls, constructor), **(more or {})}, settings, where)
    for base in cls.__mro__:
        _check_range(base.__name__, settings, where)


def _check_range(name: str, settings: Mapping[str, Any], where: str) -> None:
    for key, least in _LEAST.get(name, {}).items():
        value = settings.get(key)
        if isinstance(value, (int, float)) and value < least:
            raise ConfigurationError(f'"{where}{key}" is {shown(value)}; {least} or more is needed')
    for key, bound in _BELOW.get(name, {}).items():
        value = settings.get(key)
        if isinstance(value, (int, float)) and value >= bound:
            raise ConfigurationError(f'"{where}{key}" is {shown(value)}; less than {bound} is needed')


def _check_arguments(name: str, known: Arguments, settings: Mapping[str, Any], where: str) -> None:
    for key, value in settings.items():
        if key not in known:
            raise ConfigurationError(f'"{where}{key}" is no setting of {name}; {nearest(key, known)}')
        if value == "" and (key == "path" or key.endswith("_path")):
            raise ConfigurationError(f'"{where}{key}" is ""; the name of a file or a folder is needed')
        _check(known[key], value, f"{where}{key}")


def _check(annotation: Any, value: Any, where: str) -> None:
    """The setting at `where`, with all that is in it."""
    from allennlp.common.lazy import Lazy

    if not isinstance(value, SETTING):
        return
    if not fits(annotation, value):
        raise ConfigurationError(f'"{where}" is {refusal(annotation, value)}')
    kind, parts = get_origin(annotation) or annotation, get_args(annotation)
    if value is None:
        return
    if kind is Lazy:
        _check(parts[0], value, where)
    elif kind in UNIONS:
        _check_one_of([part for part in parts if fits(part, value)], value, where)
    elif hasattr(kind, "from_params"):
        _check_object(kind, value, f"{where}.")
    elif isinstance(value, Mapping) and len(parts) == 2:
        for key, part in value.items():
            _check(parts[1], part, f"{where}.{key}")
    elif isinstance(value, (list, tuple)) and parts:
        for number, part in enumerate(value):
            _check(parts[number if length(annotation) else 0], part, f"{where}.{number}")


def _check_one_of(annotations: List[Any], value: Any, where: str) -> None:
    for annotation in annotations[:-1]:
        try:
            return _check(annotation, value, where)
        except ConfigurationError:
            pass
    _check(annotations[-1], value, where)


def _check_object(cls: Any, value: Any, where: str) -> None:
    settings = {"type": value} if isinstance(value, str) else dict(value)
    if "_pretrained" not in settings:
        made, constructor = _resolve(cls, settings, where)
        _check_made(made, constructor, settings, where)


def _resolve(cls: Any, settings: Dict[str, Any], where: str) -> Tuple[Any, Callable[..., Any]]:
    """The class that settings ask for, and its constructor; takes their `type` out."""
    from allennlp.common import Registrable

    if cls not in Registrable._registry:
        return cls, cls.__init__
    choices = cls.list_available()
    name = settings.pop("type", cls.default_implementation)
    if name is None:
        one = f"""(One setting alone is changed by -o '{{"{where}{next(iter(settings), "SETTING")}": ...}}'.)"""
        missing = f'"{where}type" is missing; there are: {", ".join(sorted(choices))} {one}'
        meant = difflib.get_close_matches("type", settings, n=1, cutoff=_CLOSE)
        raise ConfigurationError(f'"{where}{meant[0]}" is no setting; did you mean "type"?' if meant else missing)
    check_choice(name, choices, f"{where}type")
    made, constructor = cls.resolve_class_name(name)
    return made, getattr(made, constructor) if constructor else made.__init__


def check_choice(name: Any, choices: List[str], where: str, class_names: bool = True) -> None:
    """
    # Parameters

    class_names : `bool`, optional (default = `True`)
        Whether a name with dots in it may be that of any class.

    # Raises

    `ConfigurationError` if there is no such choice.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f'"{where}" is {shown(name)}; a name is needed')
    if name not in choices and not (class_names and "." in name):
        raise ConfigurationError(
            f'"{where}" is "{name}", which is not there; {nearest(name, choices)} (A type of your own is known '
            "with --include-package MODULE, or as MODULE.CLASS.)"
        )
