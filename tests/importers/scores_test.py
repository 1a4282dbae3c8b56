"""Scores of weight ensembling, as `ensemble` takes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from attribution.similarity import SimilarityMatrix


def _import(allennlp: Any, path: Path, out: Path, **settings: Any) -> Any:
    overrides = json.dumps({f"importer.{name}": value for name, value in settings.items()})
    return allennlp("import-artefact", "result_tsv", path, "-s", out, "-o", overrides)


def test_both_layouts(allennlp: Any, tmp_path: Path) -> None:
    (tmp_path / "named.tsv").write_text("boolq\nboolq,1.5\nrte,2.25\nrte\nboolq,3.0\nrte,0.1\n")
    (tmp_path / "bare.tsv").write_text("1.5\n2.25\n3.0\n0.1\n")
    for name, settings in (("named", {}), ("bare", {"names": ["boolq", "rte"]})):
        result = _import(allennlp, tmp_path / f"{name}.tsv", tmp_path / name, higher_is_better=False, **settings)
        assert result.status == 0 and "2 targets, 2 sources" in result.stdout, result.stderr
        matrix = SimilarityMatrix.load(tmp_path / name / "similarity.npz")
        assert (matrix.targets, matrix.sources, matrix.higher_is_better) == (["boolq", "rte"], ["boolq", "rte"], False)
        assert matrix.scores.tolist() == [[1.5, 2.25], [3.0, 0.1]] and not matrix.parts


def test_by_block(allennlp: Any, tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    for number, stack in enumerate(("encoder", "decoder")):
        (tmp_path / "blocks" / f"{stack}_block_0_result.tsv").write_text(f"rte\nrte,{number}\nboolq,{number}.5\n")
    settings = {"higher_is_better": True, "granularity": "block"}
    result = _import(allennlp, tmp_path / "blocks", tmp_path / "out", **settings)
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz")
    assert list(matrix.parts) == ["encoder.block.0", "decoder.block.0"] and matrix.granularity == "block"
    assert np.array_equal(matrix.scores, [[[0, 1], [0.5, 1.5]]])
    (tmp_path / "blocks" / "decoder_block_0_result.tsv").write_text("rte\nrte,1\ncopa,1\n")
    result = _import(allennlp, tmp_path / "blocks", tmp_path / "again", **settings)
    assert result.status == 1 and "has other targets or sources than" in result.stderr


def test_other_formats_are_named(allennlp: Any, tmp_path: Path) -> None:
    (tmp_path / "tuning.tsv").write_text("boolq,0.7,0.6\n")
    result = _import(allennlp, tmp_path / "tuning.tsv", tmp_path / "out", higher_is_better=True)
    assert result.status == 1 and "tuning.tsv:1: neither a target nor `source,score`" in result.stderr
    result = _import(allennlp, tmp_path / "tuning.tsv", tmp_path / "out")
    assert result.status == 1 and "higher_is_better" in result.stderr and "Traceback" not in result.stderr
