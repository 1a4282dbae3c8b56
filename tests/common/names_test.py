import re
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.common.names import check_names


@pytest.mark.parametrize(
    "names, message",
    [
        (["../rte"], "targets: '../rte' cannot be the name of a file or folder"),
        (["a/b"], "'a/b' cannot be the name"),
        ([""], "'' cannot be the name"),
        (["."], "'.' cannot be the name"),
        (["a b"], "'a b' cannot be the name"),
        (["a\0"], r"'a\x00' cannot be the name"),
        (["rte\n"], r"'rte\n' cannot be the name"),
        ([7], "7 cannot be the name"),
        (["n" * 300], "is longer than 200 bytes"),
        (["é" * 101], "is longer than 200 bytes"),
        (["rte", "weights.npz"], "'weights.npz' is what a file of the product itself is called"),
        (["manifest.json"], "'manifest.json' is what"),
        (["plan.json"], "'plan.json' is what"),
        (["rte", "cb", "rte"], "'rte' is there twice"),
    ],
)
def test_what_is_no_name(names: List[Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match="targets: .*" + re.escape(message.removeprefix("targets: "))):
        check_names(names, "targets", ["weights.npz"])


@given(st.text(max_size=300))
def test_what_is_a_name_names_a_folder(tmp_path_factory: Any, name: str) -> None:
    folder: Path = tmp_path_factory.mktemp("names")
    try:
        check_names([name], "targets")
    except ConfigurationError:
        return
    (folder / f"{name}.safetensors.part").mkdir()
    assert [path.name for path in folder.iterdir()] == [f"{name}.safetensors.part"]


def test_names_of_sweeps_and_of_tasks() -> None:
    check_names(["glue-cola", "super_glue-wic", "anli_r1", "TASK=a%2Fb,SEED=1", "c++", "日本"], "targets")
