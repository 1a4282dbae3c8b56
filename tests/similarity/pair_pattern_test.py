from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity.pair_pattern import PairPattern


def test_each_pair_has_its_own(tmp_path: Path) -> None:
    pattern = PairPattern("tuned", f"{tmp_path}/TARGET={{target}},SOURCE={{source}}")
    assert pattern.path("rte", "boolq") == tmp_path / "TARGET=rte,SOURCE=boolq"
    for wrong, missing in (("a/{target}", "{source}"), ("a/{source}", "{target}")):
        with pytest.raises(ConfigurationError, match=f"measure.tuned: {wrong} has no {missing}; each pair has its own"):
            PairPattern("tuned", wrong)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    pattern = PairPattern("after", "{target}/{source}")
    (tmp_path / "there").touch()
    pattern.check(tmp_path / "there", "rte", "boolq")
    with pytest.raises(ConfigurationError, match="after: of the target 'rte' and the source 'boolq' .*sweep to"):
        pattern.check(tmp_path / "metrics.json", "rte", "boolq")
