"""What holds for every importer."""

from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.importers import Importer, Scores

KINDS = sorted(Importer.list_available())


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_what_becomes_of_what(kind: str) -> None:
    assert " -> " in Importer.by_name(kind).summary and "\n" not in Importer.by_name(kind).summary


def test_files_and_identity(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\nx,1\n")
    importer = Scores(str(tmp_path / "a.tsv"), True)
    assert importer.files() == [tmp_path / "a.tsv"] and importer.identity({"inputs": []}) == {"inputs": []}
    for name, message in (("nowhere.tsv", "nowhere.tsv: no such file"), ("", "the path of the file is empty")):
        with pytest.raises(ConfigurationError, match=message):
            Scores(str(tmp_path / name) if name else "", True)
