"""Configurations and command lines as they should not be: misspelt keys, wrong types, paths to nothing."""

import copy
import json
import tarfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

Place = Tuple[Union[str, int], ...]


class BadSetting(NamedTuple):
    """One setting that is not as it should be."""

    what: str
    names: Tuple[str, ...]
    """What the message has to name, one of these."""
    must_stop: bool = True
    """Whether nothing can be made of it; otherwise it may act."""
    place: Place = ()
    change: Optional[Callable[[Any, Any], None]] = None
    """Of a configuration: changes, in the block that holds it, what is under the key."""
    options: Tuple[str, ...] = ()
    """Of a command line; `{folder}` is the case's own."""
    archive: Optional[Callable[[Path, Path], Path]] = None
    """Makes a damaged one of a good one, in the folder."""

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.place))}: {self.what}" if self.place else self.what

    def applied(self, settings: Dict[str, Any]) -> Any:
        """The configuration with it."""
        changed = copy.deepcopy(settings)
        block: Any = changed
        for key in self.place[:-1]:
            block = block[key]
        assert self.change is not None
        self.change(block, self.place[-1])
        return changed

    def arguments(self, folder: Path) -> List[str]:
        return [option.replace("{folder}", str(folder)) for option in self.options]


def bad_settings(base: Union[str, Dict[str, Any]]) -> List[BadSetting]:
    """All that is tried with a configuration, or with one of the two commands that take an archive."""
    if isinstance(base, str):
        return [*_command_lines(base), *ARCHIVES]
    return [setting for place, value in _settings(base) for setting in _spoilt(place, value)]


def _settings(block: Any, place: Place = ()) -> Iterator[Tuple[Place, Any]]:
    entries = block.items() if isinstance(block, dict) else enumerate(block) if isinstance(block, list) else ()
    for key, value in entries:
        yield (*place, key), value
        yield from _settings(value, (*place, key))


def _spoilt(place: Place, value: Any) -> Iterator[BadSetting]:
    key = str(place[-1] if isinstance(place[-1], str) else place[-2])
    freely_named = "templates" in place[:-1]  # Prompts have the names that the user gives them.

    def put(new: Any) -> Callable[[Any, Any], None]:
        def change(block: Any, key: Any) -> None:
            block[key] = new

        return change

    if isinstance(place[-1], str) and not freely_named:
        wrong = key[:-2] + key[-1] if len(key) > 4 else key + "x"

        def misspell(block: Any, key: Any) -> None:
            block[wrong] = block.pop(key)

        yield BadSetting(f"misspelt {wrong}", (wrong, key), True, place, misspell)
    kinds: Dict[str, Any] = {
        "null": None,
        "a number": 7.5,
        "a text": "nonsense",
        "a truth value": True,
        "a list": ["a", "b"],
        "a list of a list": [[]],
        "an object": {"a": 1},
        "nothing in it": {} if isinstance(value, dict) else [] if isinstance(value, list) else "",
        "a path to nothing": "/nowhere/at all",
    }
    if isinstance(value, bool):
        kinds.update({"as a text": str(value).lower(), "a whole number": 2})
    elif isinstance(value, (int, float)):
        kinds.update({"negative": -3, "zero": 0, "huge": 10**30})
        if key != "cuda_device":  # A text may name a GPU, such as "cuda:0".
            kinds["as a text"] = str(value)
    elif isinstance(value, list):
        kinds.update({"null among others": [*value, None], "a number among others": [*value, 7]})
    for what, new in kinds.items():
        if type(new) is type(value) and what in ("a truth value",):
            continue
        inner = tuple(value) if isinstance(value, dict) else ()
        yield BadSetting(what, (key, str(new), *inner), _stops(what, value), place, put(new))


def _stops(what: str, value: Any) -> bool:
    """Whether nothing of this kind can stand in the place of such a value."""
    if what in ("a list", "a list of a list"):
        return isinstance(value, (str, int, float, bool))
    if what == "an object":
        return isinstance(value, (int, float, bool))
    if what in ("a text", "a path to nothing"):
        return isinstance(value, (int, float, bool, dict))
    if what in ("a number", "a truth value"):
        return not isinstance(value, float)
    return what in ("as a text", "a whole number", "null among others", "a number among others")


def _command_lines(command: str) -> List[BadSetting]:
    overrides: List[Tuple[str, Any, bool]] = [
        ("dataset_reader.max_query_lenght", 5, True),
        ("dataset_reader.max_query_length", "five", True),
        ("dataset_reader.max_query_length", None, False),
        ("dataset_reader.max_query_length", [5], True),
        ("dataset_reader.max_query_length", 0, True),
        ("dataset_reader.type", 7, True),
        ("dataset_reader.type", "p3_jsonnl", True),
        ("dataset_reader.type", None, False),
        ("dataset_reader.type", ["p3_jsonl"], True),
        ("dataset_reader", "p4", True),
        ("dataset_reader", [], True),
        ("dataset_reader", 3, True),
        ("dataset_reader.model_name", "/nowhere/model", True),
        ("dataset_reader.model_name", 5, True),
        ("dataset_reader.model_name", "", True),
        ("dataset_reader.layout", "alpacca", True),
        ("dataset_reader.layout", 5, True),
        ("dataset_reader.fields", {"a": "inputs"}, True),
        ("dataset_reader.fields", ["a"], True),
        ("dataset_reader.fields", {"a": None}, True),
        ("dataset_reader.keep", "id", False),
        ("dataset_reader.keep", 3, True),
        ("model.type", "seq2sec", True),
        ("model.type", {"a": 1}, True),
        ("model.model_name", "/nowhere/model", True),
        ("model.model_name", None, False),
        ("model.model_nam", "x", True),
        ("model.generation", {"num_beems": 2}, True),
        ("model.generation", {"max_new_tokens": "many"}, True),
        ("model.generation", {"max_new_tokens": -1}, True),
        ("model.generation", 3, True),
        ("model.generation", {"num_beams": 0}, True),
        ("model.metrics", ["exact_mach"], True),
        ("model.metrics", "exact_match", False),
        ("model.metrics", 3, True),
        ("model.metrics", [None], True),
        ("model.metrics", [3], True),
        ("model.loss", "median", True),
        ("model.label_smoothing", "much", True),
        ("model", None, False),
        ("vocabulary.type", "emty", True),
        ("vocabulary", 3, True),
        ("model.label_smoothing", "0.1", True),
        ("model.label_smoothing", True, True),
        ("model.gradient_checkpointing", "false", True),
        ("model.metrics", [{"type": 7}], True),
        ("model.metrics", [["exact_match"]], True),
        ("dataset_reader.keep", ["id", None], True),
        ("dataset_reader.keep", ["id", 7], True),
        ("dataset_reader", {"keepp": 1}, True),
        ("dataset_reader.max_query_length", 7.5, True),
        ("dataset_reader.max_query_length", 10**30, True),
    ]
    if command == "evaluate":
        overrides += [
            ("evaluation.nonsense", 1, True),
            ("evaluation", "nonsense", True),
            ("evaluation", 3, True),
            ("evaluation.batch_serializer", "rowz", True),
            ("data_loader.batch_size", "four", True),
            ("data_loader.batch_size", 0, True),
            ("data_loader.batch_size", -1, True),
            ("data_loader.batch_sise", 4, True),
            ("data_loader.num_workers", -1, True),
            ("data_loader", [], True),
            ("data_loader.batch_sampler", "buckett", True),
            ("validation_dataset_reader", {"type": "p3_jsonl", "nonsense": 1}, True),
            ("random_seed", "x", True),
            ("random_seed", -1, True),
        ]
    found = [
        BadSetting(
            f"-o {json.dumps({key: value})}", (key.split(".")[-1], str(value)), stops,
            options=("-o", json.dumps({key: value})),
        )
        for key, value, stops in overrides
    ]  # fmt: skip
    output = "--predictions-output-file" if command == "evaluate" else "--output-file"
    texts: List[Tuple[Tuple[str, ...], Tuple[str, ...]]] = [
        (("-o", "a.b=1"), ("overrides", "-o")),
        (("-o", "[1]"), ("overrides", "-o")),
        (("-o", "{"), ("overrides", "-o")),
        (("-o", "3"), ("overrides", "-o")),
        (("-o", "null"), ("overrides", "-o")),
        (("-o", "[]"), ("overrides", "-o")),
        (("-o", '{"model.label_smoothing": 1e999}'), ("overrides", "-o")),
        (("-o", '{"model.label_smoothing": NaN}'), ("overrides", "-o")),
        (("-o", '{"": 1}'), ("overrides", "-o", '""')),
        (("--cuda-device", "99"), ("cuda_device",)),
        (("--weights-file", "/nowhere/weights.th"), ("/nowhere/weights.th",)),
        (("--include-package", "atribution"), ("atribution",)),
        ((output, "/nowhere/out"), ("/nowhere",)),
        ((output, "{folder}"), ("case_",)),
        (("--batch-size", "0"), ("batch_size", "batch-size")),
        (("--batch-size", "-2"), ("batch_size", "batch-size")),
    ]
    if command == "predict":
        texts += [
            (("--predictor", "promptd"), ("promptd",)),
            (("--predictor", ""), ("predictor",)),
            (("--multitask-head", "a"), ("multitask",)),
        ]
    else:
        texts += [
            (("--output-file", "/nowhere/metrics.json"), ("/nowhere",)),
            (("--output-file", "{folder}"), ("case_",)),
            (("--batch-weight-key", "wieght"), ("wieght",)),
            (("--embedding-sources-mapping", "nonsense"), ("embedding", "nonsense")),
            (("--embedding-sources-mapping", "[1]"), ("embedding",)),
        ]
    return [*found, *(BadSetting(" ".join(options), names, options=options) for options, names in texts)]


def _archive(name: str, make: Callable[[Path, Path], Any], *names: str) -> BadSetting:
    def damaged(folder: Path, good: Path) -> Path:
        path = folder / "given.tar.gz"
        make(path, good)
        return path

    return BadSetting(f"archive: {name}", ("given", *names), archive=damaged)


def _cut(share: float) -> Callable[[Path, Path], None]:
    def make(path: Path, good: Path) -> None:
        content = good.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return make


def _without(member: str) -> Callable[[Path, Path], None]:
    def make(path: Path, good: Path) -> None:
        with tarfile.open(good) as whole, tarfile.open(path, "w:gz") as part:
            for info in whole.getmembers():
                if info.isfile() and Path(info.name).name != member:
                    part.addfile(info, whole.extractfile(info))

    return make


def _configured(text: str) -> Callable[[Path, Path], None]:
    def make(path: Path, good: Path) -> None:
        inner = path.with_name("given_config.json")
        inner.write_text(text)
        with tarfile.open(good) as whole, tarfile.open(path, "w:gz") as part:
            for info in whole.getmembers():
                if info.isfile() and Path(info.name).name != "config.json":
                    part.addfile(info, whole.extractfile(info))
            part.add(inner, "config.json")

    return make


ARCHIVES = [
    _archive("cut at a tenth", _cut(0.1)),
    _archive("cut at nine tenths", _cut(0.9)),
    _archive("empty", _cut(0)),
    _archive("no such file", lambda path, good: None),
    _archive("a text", lambda path, good: path.write_text("nonsense")),
    _archive("an empty folder", lambda path, good: path.mkdir()),
    _archive("no weights", _without("weights.th")),
    _archive("no configuration", _without("config.json")),
    _archive("an empty configuration", _configured("")),
    _archive("a configuration that is a list", _configured("[]")),
    _archive("a configuration without a model", _configured("{}"), "the key"),
    _archive("a damaged configuration", _configured('{"model": ')),
]
"""Damaged ones."""
