from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.commands.target_examples import TargetExamples

GYM = Path(__file__).parents[1] / "fixtures" / "fewshot_gym"


def _examples(
    base: str, targets: Any, reader: str = "fewshot_gym", prefix: str = "", **settings: Any
) -> TargetExamples:
    own = {"seeds": [13]} if reader == "fewshot_gym" else {"input_prefix": prefix}
    params = Params({"type": reader, "model_name": base, **own})
    return TargetExamples(targets, Lazy(DatasetReader, params), **settings)


def _labels(examples: TargetExamples, name: str) -> List[int]:
    return [len(batch.prompts["mask"]) for batch in examples.batches(name)]


def test_the_tasks_of_a_gym(tiny_model: Callable[[str], str]) -> None:
    examples = _examples(tiny_model("t5"), str(GYM), batch_size=1)
    assert examples.names == ["boolq", "web_questions"]
    assert [path.name for path in examples.files("boolq")] == ["boolq_1_13_train.tsv"]
    assert _labels(examples, "web_questions") == [1, 1]
    assert _labels(_examples(tiny_model("t5"), str(GYM), max_examples=1), "web_questions") == [1]


def test_files_by_the_targets_names(tiny_model: Callable[[str], str], write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("new.jsonl", [{"input": "a film", "target": "good"}, {"input": "it", "target": "bad"}])
    examples = _examples(tiny_model("t5"), {"new": path}, "p3_jsonl")
    assert (examples.names, _labels(examples, "new")) == (["new"], [2])
    assert TargetExamples(None, None).names == []
    examples = _examples(tiny_model("t5"), str(Path(path).parent / "n*.jsonl"), "p3_jsonl")
    assert (examples.names, _labels(examples, "ew")) == (["ew"], [2])
    assert examples.inputs("ew") == ["a film", "it"]
    named = _examples(tiny_model("t5"), str(Path(path).parent / "n*.jsonl"), "p3_jsonl", prefix="[{task}] ")
    assert named.inputs("ew") == ["[ew] a film", "[ew] it"]


def test_mistakes(tiny_model: Callable[[str], str], write_jsonl: Callable[..., str]) -> None:
    base = tiny_model("t5")
    with pytest.raises(ConfigurationError, match="examples: /nowhere is no folder, and no file matches it"):
        _examples(base, "/nowhere", setting="examples")
    with pytest.raises(ConfigurationError, match="batch_size is 0, max_examples None; at least one"):
        _examples(base, str(GYM), batch_size=0)
    with pytest.raises(ConfigurationError, match="a P3JsonlReader cannot read `targets`; use fewshot_gym"):
        _examples(base, str(GYM), "p3_jsonl").files("boolq")
    with pytest.raises(ConfigurationError, match="the target 'new': .*no usable row"):
        _examples(base, {"new": write_jsonl("new.jsonl", [{"input": "a"}])}, "p3_jsonl").batches("new")
