from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import ResultTsv, SimilarityMatrix, TargetTask, read_result_tsv, write_result_tsv
from tests.similarity.conftest import source_of

NAMED = "boolq\nboolq,0.5\nrte,1.25\nrte\nboolq,-2\nrte,1e-3\n"
VALUES = "0.5\n1.25\n-2\n1e-3\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "result.tsv") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize("text, names", [(NAMED, None), (VALUES, ["boolq", "rte"]), (f"\n{NAMED}\n", None)])
def test_both_layouts(text: str, names: Any, write: Callable[..., Path]) -> None:
    matrix = read_result_tsv(write(text), False, names)
    assert (matrix.targets, matrix.sources) == (["boolq", "rte"], ["boolq", "rte"])
    assert (matrix.higher_is_better, matrix.granularity) == (False, "model")
    np.testing.assert_array_equal(matrix.scores, [[0.5, 1.25], [-2, 1e-3]])


def test_a_header_before_each_source(write: Callable[..., Path]) -> None:
    """As one version of the published program writes gradient norms, and cannot read them."""
    lines = NAMED.splitlines()
    repeated = "\n".join([*lines[:2], "boolq", *lines[2:5], "rte", lines[5]])
    np.testing.assert_array_equal(read_result_tsv(write(repeated), True).scores, [[0.5, 1.25], [-2, 1e-3]])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    matrix = SimilarityMatrix(["a", "b"], ["x", "b, c"], np.random.default_rng(0).normal(size=(2, 2)), True, "model")
    write_result_tsv(matrix, tmp_path / "result.tsv")
    again = read_result_tsv(tmp_path / "result.tsv", True)
    assert (again.targets, again.sources) == (matrix.targets, matrix.sources)
    np.testing.assert_array_equal(again.scores, matrix.scores)


@pytest.mark.parametrize(
    "text, names, message",
    [
        (VALUES, None, "has 4 values and no names; give `names`, in their order"),
        (VALUES, ["boolq"], "has 4 values; 1 names need 1"),
        ("boolq,0.5\n", None, "result.tsv:1: neither a target nor `source,score`: 'boolq,0.5'"),
        ("boolq\nrte,good\n", None, "result.tsv:2: neither a target nor `source,score`: 'rte,good'"),
        (NAMED + "boolq,3\n", None, "result.tsv:7: a pair that was there before: 'boolq' on 'rte'"),
        ("boolq\nboolq,1\nrte,2\nrte\nrte,1\n", None, "the target 'rte' has no score of boolq"),
        ("boolq\nrte,-inf\n", None, "result.tsv:2: no measured score: 'rte,-inf'"),
        ("", None, "the file is empty"),
    ],
)
def test_what_is_no_result(text: str, names: Any, message: str, write: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_result_tsv(write(text), False, names)


def test_as_a_measure(write: Callable[..., Path]) -> None:
    measure = ResultTsv(str(write(NAMED)), higher_is_better=False)
    assert measure.compare(TargetTask("rte", []), source_of(Path("boolq")), None, None) == {"model": -2.0}
    assert measure.pair_files("rte", "boolq") == [measure.paths["model"]] and not measure.higher_is_better
    for target, source, message in (("cb", "rte", "has no target 'cb'"), ("rte", "cb", "has no source 'cb'")):
        with pytest.raises(ConfigurationError, match=f"result.tsv: {message}; there are boolq, rte"):
            measure.compare(TargetTask(target, []), source_of(Path(source)), None, None)


@pytest.mark.parametrize("granularity, layer, suffix", [("block", "", ""), ("layer", "_layer_1", ".layer.1")])
def test_by_part(granularity: str, layer: str, suffix: str, write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"measure.path: .* has no scores by {granularity} .encoder_block_0_"):
        ResultTsv(str(tmp_path), True, granularity=granularity)
    for number, name in enumerate(("encoder_block_2", "encoder_block_10", "decoder_block_0")):
        write(NAMED.replace("1.25", str(number)), f"{name}{layer}_result.tsv")
    write("no scores", "encoder_block_0_layer_0.tsv")
    measure = ResultTsv(str(tmp_path), True, granularity=granularity)
    scores = measure.compare(TargetTask("boolq", []), source_of(Path("rte")), None, None)
    parts = [f"{block}{suffix}" for block in ("encoder.block.2", "encoder.block.10", "decoder.block.0")]
    assert list(scores.items()) == list(zip(parts, [0.0, 1.0, 2.0])) and len(measure.pair_files("a", "b")) == 3
