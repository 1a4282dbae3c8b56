from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.delta_folders import delta_folders


def test_names_are_what_the_asterisks_stand_for(tmp_path: Path) -> None:
    for name in ("rte", "boolq"):
        (tmp_path / name / "delta").mkdir(parents=True)
    (tmp_path / "a file").touch()
    rte, boolq = (tmp_path / name / "delta" for name in ("rte", "boolq"))
    assert list(delta_folders(f"{tmp_path}/*/delta", "sources").items()) == [("boolq", boolq), ("rte", rte)]
    assert delta_folders(f"{tmp_path}/*/*", "sources") == {"boolq/delta": boolq, "rte/delta": rte}
    assert delta_folders(f"{tmp_path}/rte/delta", "sources") == {"delta": rte}
    assert list(delta_folders(f"{tmp_path}/*", "sources")) == ["boolq", "rte"]
    assert list(delta_folders(f"{tmp_path}/*te/delta", "sources")) == ["r"]
    assert list(delta_folders(f"{tmp_path}/b*/d[de]lta", "sources")) == ["oolq/de"]
    (tmp_path / "sweep" / "TASK=rte,SEED=1").mkdir(parents=True)
    assert list(delta_folders(f"{tmp_path}/sweep/TASK=*,SEED=1", "sources")) == ["rte"]


def test_names_of_a_sweep(tmp_path: Path) -> None:
    """Its folders are called by settings and values: a source is called by the value."""
    for target, source in (("rte", "boolq"), ("rte", "copa"), ("cb", "boolq")):
        (tmp_path / f"TARGET={target},SOURCE={source}" / "delta").mkdir(parents=True)
    assert list(delta_folders(f"{tmp_path}/TARGET=rte,SOURCE=*", "sources")) == ["boolq", "copa"]
    assert list(delta_folders(f"{tmp_path}/TARGET=*,SOURCE=boolq/delta", "sources")) == ["cb", "rte"]
    assert list(delta_folders(f"{tmp_path}/TARGET=[c]*,SOURCE=boolq/", "sources")) == ["cb"]


def test_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sources: no folder matches .*/x\*"):
        delta_folders(f"{tmp_path}/x*", "sources")
