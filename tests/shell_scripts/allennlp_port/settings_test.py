"""Every setting is an argument of what it makes, and of its kind, or is refused."""

import inspect
import math
import os
import re
from enum import Enum
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Literal, Optional, Tuple, Union

import pytest
import torch
from allennlp.commands.subcommand import Subcommand
from allennlp.commands.train import TrainModel
from allennlp.common import FromParams, Lazy, Params, Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.common.from_params import infer_params
from allennlp.common.kinds import fits, refusal
from allennlp.common.params import parse_overrides, with_overrides
from allennlp.common.settings import (
    arguments,
    check_archived,
    check_experiment,
    check_parameter_groups,
    check_settings,
    check_used,
    misspelt_flags,
    nearest,
    whole_number,
)
from hypothesis import given
from hypothesis import strategies as st

import attribution
from attribution.commands import ArtefactCommand
from attribution.encoders import Encoder
from attribution.modules.delta import DeltaModule
from attribution.sweeps import Sweep

assert attribution


def _constructors() -> Iterator[Tuple[str, type, Callable[..., Any]]]:
    """All that a configuration can name, and what it makes without a name."""
    for base, names in Registrable._registry.items():
        for name, (cls, constructor) in names.items():
            if base is not Subcommand:
                yield f"{base.__name__}-{name}", cls, getattr(cls, constructor) if constructor else cls.__init__
    commands: List[Any] = [Subcommand.by_name(name) for name in Subcommand.list_available()]
    jobs = {command.job for command in commands if issubclass(command, ArtefactCommand)}
    for job in sorted([*jobs, Sweep], key=lambda job: job.__name__):
        yield job.__name__, job, job.__init__


CONSTRUCTORS = list(_constructors())
ARGUMENTS = [
    pytest.param(cls, constructor, id=name) for name, cls, constructor in CONSTRUCTORS if arguments(cls, constructor)
]


def _misspelt(name: str) -> List[str]:
    """A letter that is missing, there twice, another one, or in its neighbour's place; not at all places."""
    places = sorted({0, len(name) // 2, len(name) - 1})
    missing = [name[:place] + name[place + 1 :] for place in places]
    doubled = [name[:place] + name[place] + name[place:] for place in places]
    another = [name[:place] + ("x" if name[place] != "x" else "y") + name[place + 1 :] for place in places]
    swapped = [
        name[:place] + name[place + 1] + name[place] + name[place + 2 :] for place in places if place + 1 < len(name)
    ]
    return [wrong for wrong in (*missing, *doubled, *another, *swapped) if wrong != name]


def test_there_are_many() -> None:
    assert len(ARGUMENTS) > 250 and {DeltaModule, Encoder} <= Registrable._registry.keys()


@pytest.mark.parametrize("cls, constructor", ARGUMENTS)
def test_every_argument_misspelt_is_refused_with_the_right_name(cls: type, constructor: Callable[..., Any]) -> None:
    known = arguments(cls, constructor)
    for name in known:
        for wrong in {*_misspelt(name)} - {*known, "type"}:
            with pytest.raises(ConfigurationError) as refused:
                check_settings(cls, constructor, {wrong: 1}, "block.")
            message = str(refused.value)
            assert message.startswith(f'"block.{wrong}" is no setting of {cls.__name__}; ')
            offered = message.partition("; ")[2]
            listed = offered.removeprefix("there are: ").split(", ")
            as_near = [other for other in known if wrong in _misspelt(other) or wrong in (other + "x", "x" + other)]
            assert name in listed or any(f'"{other}"' in offered for other in [name, *as_near]), message


@pytest.mark.parametrize("cls, constructor", ARGUMENTS)
def test_the_defaults_are_of_their_kinds(cls: type, constructor: Callable[..., Any]) -> None:
    defaults = {name: one.default for name, one in infer_params(cls, constructor).items()}
    known = arguments(cls, constructor)
    check_settings(
        cls, constructor, {name: defaults[name] for name in known if defaults[name] is not inspect.Parameter.empty}
    )


@pytest.mark.parametrize("cls, constructor", ARGUMENTS)
def test_a_value_of_another_kind_is_refused_for_every_argument(cls: type, constructor: Callable[..., Any]) -> None:
    for name, annotation in arguments(cls, constructor).items():
        for value in (None, True, 7.5, "text", [[[0.5]]], {"1": 2}):
            if not fits(annotation, value):
                with pytest.raises(ConfigurationError) as refused:
                    check_settings(cls, constructor, {name: value}, "block.")
                assert str(refused.value) == f'"block.{name}" is {refusal(annotation, value)}'


EXPERIMENT: Dict[str, Any] = {
    "dataset_reader": {"type": "p3_jsonl", "model_name": "m"},
    "train_data_path": "rows.jsonl",
    "model": {"type": "seq2seq", "model_name": "m", "delta": {"type": "lora"}, "metrics": ["squad", {"type": "bleu"}]},
    "data_loader": {"batch_size": 4},
    "trainer": {
        "num_epochs": 2,
        "optimizer": {"type": "adam", "lr": 0.1},
        "learning_rate_scheduler": {"type": "slanted_triangular"},
        "callbacks": ["save_delta", {"type": "tensorboard"}],
        "checkpointer": {"keep_most_recent_by_count": 1},
    },
    "evaluation": {"batch_serializer": {"type": "rows"}},
    "distributed": {"cuda_devices": [0, 1], "ddp_accelerator": {"type": "torch"}},
    "random_seed": 1,
}


def _blocks(settings: Dict[str, Any], where: str = "") -> Iterator[Tuple[Dict[str, Any], str]]:
    """All objects in it, with their places."""
    yield settings, where
    for key, value in settings.items():
        for place, part in [(key, value)] if not isinstance(value, list) else enumerate(value):
            place = place if place is key else f"{key}.{place}"
            if isinstance(part, dict):
                yield from _blocks(part, f"{where}{place}.")


@given(st.data())
def test_an_unknown_key_of_any_block_of_a_training_is_refused(data: Any) -> None:
    settings = Params(EXPERIMENT).duplicate().as_dict(quiet=True)
    check_experiment(settings)
    block, where = data.draw(st.sampled_from(list(_blocks(settings))))
    key = data.draw(st.sampled_from(sorted(block)))
    wrong = data.draw(st.sampled_from(_misspelt(key)))
    block[wrong] = block.pop(key)
    with pytest.raises(ConfigurationError) as refused:
        check_experiment(settings)
    assert f'"{where}{wrong}" is no setting' in str(refused.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trainer.num_epoch": 2}, '"trainer.num_epoch" is no setting of GradientDescentTrainer; did you mean "num_ep'),
        ({"trainer.run_sanity_checks": False}, 'did you mean "run_confidence_checks"?'),
        ({"evaluation": {"nonsense": 1}}, '"evaluation.nonsense" is no setting of SimpleEvaluator; there are: batch_s'),
        ({"trainer.callbacks": [{"type": "save_delta", "foldr": "x"}]}, '"trainer.callbacks.0.foldr" is no setting'),
        ({"model.delta": "lara"}, '"model.delta.type" is "lara", which is not there; did you mean "lora"?'),
        ({"model.delta": {"typ": "lora"}}, '"model.delta.typ" is no setting; did you mean "type"?'),
        ({"model.delta": {"r": 1}}, '"model.delta.type" is missing; there are: bias, folder'),
        ({"trainer.num_epochs": "2"}, '"trainer.num_epochs" is "2"; a whole number is needed, without quotes'),
        ({"train_data_path": ""}, '"train_data_path" is ""; the name of a file or a folder is needed'),
        ({"trainer.num_epochs": -1}, '"trainer.num_epochs" is -1; 1 or more is needed'),
        (
            {"trainer.callbacks": ["save_delta", None]},
            '"trainer.callbacks.1" is null; leave it out, or give it a value',
        ),
        ({"trainer.checkpointer.keep_most_recent_by_count": -1}, 'recent_by_count" is -1; 1 or more is needed'),
        ({"trainer.optimizer.lr": -1}, '"trainer.optimizer.lr" is -1; 0 or more is needed'),
        ({"trainer.learning_rate_scheduler": {"type": "step", "step_size": 0}}, 'step_size" is 0; 1 or more is needed'),
        (
            {"trainer.learning_rate_scheduler": {"type": "slanted_triangular", "cut_frac": 1.5}},
            '"trainer.learning_rate_scheduler.cut_frac" is 1.5; less than 1 is needed',
        ),
        ({"trainer.moving_average": {"type": "exponential", "decay": 2}}, 'decay" is 2; less than 1 is needed'),
        ({"distributed.num_nodes": 0}, '"distributed.num_nodes" is 0; 1 or more is needed'),
        ({"data_loader.batch_size": 0}, '"data_loader.batch_size" is 0; 1 or more is needed'),
        ({"model": None}, '"model" is null; leave it out, or give it a value: an object, or the name of a type, is ne'),
        ({"model.delta": 5}, '"model.delta" is 5; an object, or the name of a type, is needed'),
        ({"evaluation": 3}, '"evaluation" is 3; an object, or the name of a type, is needed'),
        ({"distributed": [0, 1]}, '"distributed" is [0, 1]; an object is needed'),
        ({"distributed.num_nodes": "two"}, '"distributed.num_nodes" is "two"; a whole number is needed'),
        ({"test_data_path": "t", "vocabulary": "empty"}, '"test_data_path": nothing is done with it; "evaluate_on_'),
        ({"evaluate_on_test": True}, '"evaluate_on_test" needs "test_data_path"'),
        ({"batch_weight_key": "w"}, '"batch_weight_key" is for "evaluate_on_test" alone'),
        (
            {"datasets_for_vocab_creation": ["trian"]},
            '"datasets_for_vocab_creation.0" is "trian", which has no data path; did you mean "train"?',
        ),
        ({"random_seed": -1}, '"random_seed" is -1; a whole number from 0 to 2^32 - 1 is needed'),
        ({"model.metrics": [{"type": 1}]}, '"model.metrics.0.type" is 1; a name is needed'),
        ({"random_sed": 1}, 'did you mean "random_seed"?'),
    ],
)
def test_what_it_says(changes: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_experiment(with_overrides(EXPERIMENT, changes))
    assert message in str(refused.value)


class Part(FromParams):
    def __init__(self, size: int = 1) -> None:
        self.size = size


class Above(FromParams):
    def __init__(self, above: int = 0) -> None:
        self.above = above


class Whole(Above):
    def __init__(
        self,
        lazy: Optional[Lazy[Part]] = None,
        several: Optional[List[Part]] = None,
        named: Optional[Dict[str, Part]] = None,
        pair: Optional[Tuple[str, Part]] = None,
        free: Optional[Dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.free = free


class Colour(Enum):
    RED = "red"


class Kinds(FromParams):
    """An argument of each kind."""

    def __init__(
        self,
        flag: bool = True,
        size: int = 1,
        share: float = 0.5,
        name: str = "",
        path: Union[str, os.PathLike[str]] = "",
        names: Iterable[str] = (),
        pair: Tuple[float, float] = (0.0, 1.0),
        sizes: Tuple[int, ...] = (),
        deep: Optional[Dict[str, List[Tuple[str, int]]]] = None,
        chosen: Literal["a", "b"] = "a",
        colour: Colour = Colour.RED,
        either: Union[int, List[int]] = 1,
        newer: float | None = None,
        part: Optional[Part] = None,
        free: Any = None,
    ) -> None:
        pass


KINDS = {
    "flag": st.booleans() | st.sampled_from([0, 1]),
    "size": st.integers(-(2**63) + 1, 2**63 - 1),
    "share": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    "name": st.text(),
    "path": st.text(min_size=1),
    "names": st.lists(st.text()),
    "pair": st.lists(st.floats(0, 1), min_size=2, max_size=2),
    "sizes": st.lists(st.integers(-9, 9)),
    "deep": st.none() | st.dictionaries(st.text(), st.lists(st.tuples(st.text(), st.integers(-9, 9)))),
    "chosen": st.sampled_from("ab"),
    "colour": st.just("red"),
    "either": st.integers(-9, 9) | st.lists(st.integers(-9, 9)),
    "part": st.fixed_dictionaries({"size": st.integers(-9, 9)}),
    "free": st.none() | st.text() | st.lists(st.floats()),
}


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_value_of_its_kind_is_taken(name: str, data: Any) -> None:
    check_settings(Kinds, Kinds.__init__, {name: data.draw(KINDS[name])})


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(KINDS)), st.data())
def test_a_value_of_another_kind_is_named_with_what_is_needed(name: str, other: str, data: Any) -> None:
    value = data.draw(KINDS[other])
    try:
        check_settings(Kinds, Kinds.__init__, {name: value}, "block.")
    except ConfigurationError as error:
        assert re.match(rf'"block\.{name}(\.[^"]*)?" (is .*needed|is no setting)', str(error), re.DOTALL)
        assert name not in ("free", other)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"flag": "false"}, '"flag" is "false"; true or false is needed, without quotes (std.parseJson makes one of'),
        ({"flag": 2}, '"flag" is 2; true or false is needed'),
        ({"size": True}, '"size" is true; a whole number is needed'),
        ({"size": 3.5}, '"size" is 3.5; a whole number is needed'),
        ({"size": "3x"}, '"size" is "3x"; a whole number is needed'),
        ({"size": 10**30}, '"size" is 1000000000000000000000000000000; a whole number is needed'),
        ({"share": float("nan")}, '"share" is NaN; a number is needed'),
        ({"share": float("inf")}, '"share" is Infinity; a number is needed'),
        ({"share": False}, '"share" is false; a number is needed'),
        ({"name": 3}, '"name" is 3; a text is needed'),
        ({"path": ["a"]}, '"path" is ["a"]; a text or a path is needed'),
        ({"names": "ab"}, '"names" is "ab"; a list is needed'),
        ({"names": ["a", None]}, '"names.1" is null; leave it out, or give it a value: a text is needed'),
        ({"pair": [0.5]}, '"pair" is [0.5]; a list of 2 is needed'),
        ({"pair": [0.5, "x"]}, '"pair.1" is "x"; a number is needed'),
        ({"sizes": [1, 2, 0.5]}, '"sizes.2" is 0.5; a whole number is needed'),
        ({"deep": {"a": [["b", 1], ["c", "d"]]}}, '"deep.a.1.1" is "d"; a whole number is needed'),
        ({"chosen": "c"}, '"chosen" is "c"; one of "a", "b" is needed'),
        ({"colour": "green"}, '"colour" is "green"; one of "red" is needed'),
        ({"either": "x"}, '"either" is "x"; a whole number or a list is needed'),
        ({"either": [1, "x"]}, '"either.1" is "x"; a whole number is needed'),
        ({"newer": "x"}, '"newer" is "x"; a number is needed'),
        ({"part": "x"}, '"part" is "x"; an object is needed'),
        ({"part": {"size": None}}, '"part.size" is null; leave it out, or give it a value: a whole number is needed'),
        ({"part": {"size": "x" * 99}}, 'xxx...; a whole number is needed'),
    ],
)  # fmt: skip
def test_what_it_says_of_each_kind(settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Kinds.from_params(Params(settings))
    assert message in str(refused.value)


class Narrow(Above):
    """Refuses more than its kind says, by itself and by what is above it."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size > self.above:
            raise ValueError("size is larger than above")


class Deep(FromParams):
    def __init__(self, narrow: Optional[Narrow] = None, several: Optional[List[Narrow]] = None) -> None:
        pass


class Buggy(FromParams):
    def __init__(self, size: int = 1) -> None:
        _half(size)


def _half(size: int) -> float:
    return math.sqrt(-size)


def test_what_a_constructor_refuses_has_its_place() -> None:
    with pytest.raises(ConfigurationError, match='^"narrow": size is larger than above$'):
        Deep.from_params(Params({"narrow": {"size": 2}}))
    with pytest.raises(ConfigurationError, match='^"several.1": size is larger than above$'):
        Deep.from_params(Params({"several": [{"size": 0}, {"size": 2}]}))
    with pytest.raises(ConfigurationError, match="^size is larger than above$"):
        Narrow.from_params(Params({"size": 3}))
    with pytest.raises(ValueError):  # What goes wrong in what it calls may be a bug.
        Buggy.from_params(Params({}))


def test_what_code_has_made_is_let_through() -> None:
    part = Part()
    check_settings(Kinds, Kinds.__init__, {"part": part, "colour": Colour.RED, "path": Path("x"), "names": {"a"}})
    check_settings(Kinds, Kinds.__init__, Params({"part": Params({"size": 1})}).params)


@pytest.mark.parametrize(
    "settings, place",
    [
        ({"lazy": {"sise": 1}}, "lazy.sise"),
        ({"several": [{"size": 1}, {"sise": 1}]}, "several.1.sise"),
        ({"named": {"a": {"sise": 1}}}, "named.a.sise"),
        ({"pair": ["x", {"sise": 1}]}, "pair.1.sise"),
        ({"abov": 1}, "abov"),
        ({"kwargs": 1}, "kwargs"),
    ],
)
def test_parts_of_every_kind_are_looked_at_before_any_is_made(settings: Dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigurationError, match=f'"{place}" is no setting of'):
        Whole.from_params(Params(settings))


def test_what_is_free_stays_free() -> None:
    made = Whole.from_params(Params({"above": 2, "free": {"anything": {"goes": 1}}}))
    assert (made.above, made.free) == (2, {"anything": {"goes": 1}})


@pytest.mark.parametrize(
    "overrides, message",
    [
        ("a.b=1", ""),
        ("5", '-o is 5; write it as in -o \'{"trainer.num_epochs": 1'),
        (
            '{"traner.num_epochs": 1}',
            '-o: "traner.num_epochs" changes "traner", which is not there; did you mean "trai',
        ),
        ('{"trainer.num_epochs.x": 1}', "-o: \"trainer.num_epochs\" is 2, which has no 'x' in it"),
        ('{"trainer.callbacks.7.type": "x"}', 'changes "trainer.callbacks.7", which is not there; there are: 0, 1'),
    ],
)
def test_overrides_that_change_nothing(overrides: str, message: str) -> None:
    with pytest.raises((ConfigurationError, RuntimeError)) as refused:
        with_overrides(EXPERIMENT, parse_overrides(overrides))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"test_data_path": "t"},
        {"test_data_path": "t", "vocabulary": {"type": "empty"}, "evaluate_on_test": True, "batch_weight_key": "w"},
        {"test_data_path": "t", "datasets_for_vocab_creation": ["train", "test"]},
    ],
)
def test_a_test_that_is_used(changes: Dict[str, Any]) -> None:
    check_experiment({**EXPERIMENT, **changes})


def test_what_an_archive_is_made_of() -> None:
    check_archived({**EXPERIMENT, "trainer": {"nonsense": 1}})
    for change, message in (
        (
            {"dataset_reader": {"keepp": 1}},
            """(One setting alone is changed by -o '{"dataset_reader.keepp": ...}'.)""",
        ),
        ({"random_seed": "x"}, '"random_seed" is "x"; a whole number from 0'),
        ({"model": "seq2sec"}, '"model.type" is "seq2sec", which is not there; did you mean "seq2seq"'),
        ({"validation_data_loader": {"batch_size": 0}}, '"validation_data_loader.batch_size" is 0; 1 or more'),
    ):
        with pytest.raises(ConfigurationError) as refused:
            check_archived({**EXPERIMENT, **change})
        assert message in str(refused.value)


@given(st.lists(st.sampled_from(["-s", "--force", "--forc", "out", "--serialisation-dir", "--x=-1", "-7", "-fs"])))
def test_options_that_there_are_not(given_words: List[str]) -> None:
    said = misspelt_flags(given_words, ["-s", "--serialization-dir", "-f", "--force"])
    expected = {
        "--serialisation-dir": "--serialisation-dir is not there, did you mean --serialization-dir?",
        "--x=-1": "--x is not there, there are: --force, --serialization-dir, -f, -s",
    }
    assert said == "".join(f"; {expected[word]}" for word in dict.fromkeys(given_words) if word in expected)


def test_a_group_of_parameters_that_fits_none() -> None:
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Adam(layer.parameters())
    check_parameter_groups(optimizer, [[["wieght", "bias"], {}], [["weight"], {}]], ["weight", "bias"])
    for patterns, settings, message in (
        (["wieght"], {}, '.0" is ["wieght"], which fits no parameter of the model'),
        (["("], {}, ".0\": '(' is no pattern: missing )"),
        (["bias"], {"weight_decoy": 1}, '.1.weight_decoy" is no setting of Adam; did you mean "weight_decay"?'),
        (["bias"], {"lr": "x"}, '.1.lr" is "x"; a number is needed'),
        (["bias"], {"lr": -1}, '.1.lr" is -1; 0 or more is needed'),
        (["bias"], {"requires_grad": "no"}, '.1.requires_grad" is "no"; true or false is needed'),
    ):
        with pytest.raises(ConfigurationError) as refused:
            check_parameter_groups(optimizer, [[["bias"], {"lr": 0.1}], [patterns, settings]], ["weight", "bias"])
        assert f'"trainer.optimizer.parameter_groups.1{message}' in str(refused.value)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"text"', "[{}]"])
def test_a_file_that_is_no_object(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        Params.from_file(tmp_path / "config.json")
    assert str(refused.value) == f"{tmp_path / 'config.json'}: is {content}; an object of settings is needed"


@pytest.mark.parametrize("make, message", [(Path.mkdir, "is a directory"), (os.mkfifo, "is no regular file")])
def test_what_is_no_file(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    make(tmp_path / "settings.jsonnet")
    with pytest.raises(ConfigurationError, match=rf"settings\.jsonnet: {message}"):
        Params.from_file(tmp_path / "settings.jsonnet")


def test_overrides_of_what_is_not_used() -> None:
    archive = {**EXPERIMENT, "validation_data_loader": {"batch_size": 8}}
    check_used('{"model.loss": "sum", "dataset_reader.max_query_length": 3}', EXPERIMENT, "predict")
    check_used({"validation_data_loader.batch_size": 3}, archive, "evaluate", "data_loader")
    for key in ("trainer.num_epochs", "data_loader.batch_size"):
        with pytest.raises(
            ConfigurationError, match=f"evaluate does not use '{key}'; .* uses .*validation_data_loader"
        ):
            check_used({key: 1}, archive, "evaluate", "data_loader")


@pytest.mark.parametrize("value, number", [(None, None), (3, 3), ("12", 12), ("1", 1)])
def test_a_whole_number_may_be_its_digits(value: Any, number: Any) -> None:
    assert whole_number("block.rows", value, 1) == number


@pytest.mark.parametrize("value", [0, "0", -1, "-1", True, 1.5, "1.5", "", "many"])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ConfigurationError, match='"block.rows" is .*; a whole number of 1 or more is needed'):
        whole_number("block.rows", value, 1)


def test_the_nearest_name() -> None:
    assert nearest("num_epoch", ["num_epochs", "num_steps"]) == 'did you mean "num_epochs"?'
    assert nearest("q", ["b", "a"]) == "there are: a, b" and nearest("q", []) == "there are: none"


def test_a_training_is_described_by_its_constructor() -> None:
    assert {"model", "trainer"} < arguments(TrainModel, TrainModel.from_partial_objects).keys()
    assert not inspect.signature(Part.__init__).parameters.keys() - {"self", *arguments(Part, Part.__init__)}
