import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.pool_sources import PoolRow, PoolSource, Skipped, TriplesSource

FIXTURES = Path(__file__).parents[2] / "fixtures" / "recross_triples"


def test_a_list() -> None:
    path = FIXTURES / "test-1000.json"
    source = PoolSource.from_params(Params({"type": "recross_triples", "path": str(path)}))
    rows = list(source.rows())
    assert len(rows) == 5 and source.inputs() == [path]
    assert rows[4] == PoolRow(
        {
            "input": "The review was not good. The review was",
            "target": "bad",
            "task": "super_glue-cb",
            "template": "MNLI crowdsource",
            "id": "super_glue-cb|validation|MNLI crowdsource|#2",
        },
        f"{path}: row 5",
    )


def test_lines() -> None:
    first, empty, without_id = TriplesSource(str(FIXTURES / "imdb_upstream_train.json"), template="any").rows()
    assert isinstance(first, PoolRow) and (first.content["task"], first.content["template"]) == ("imdb", "any")
    assert isinstance(empty, RowError) and empty.reason == "`target` is empty"
    assert isinstance(without_id, PoolRow)
    assert without_id.content["id"] == "imdb_upstream_train|train|any|#2"


def test_what_is_kept_beside() -> None:
    source = TriplesSource(str(FIXTURES / "test-1000.json"), keep=["references", "split"])
    row = list(source.rows())[2]
    assert isinstance(row, PoolRow)
    assert row.content["references"] == ["No", "no", "It does not"] and row.content["split"] == "validation"


def test_a_pool(allennlp: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps([["a", ["b"], "task|#0"], ["a", ["b"], "task|train|wording|#1"]]))
    sources = [{"type": "recross_triples", "path": str(path)} for path in (FIXTURES / "test-1000.json", bad)]
    config = tmp_path / "pool.json"
    config.write_text(json.dumps({"sources": sources, "shuffle": False}))
    result = allennlp("build-pool", config, "-s", tmp_path / "pool")
    assert result.status == 1 and "bad.json: row 1: the id is not `dataset|split|template|#number`" in result.stderr
    assert allennlp("build-pool", config, "-s", tmp_path / "pool", "-o", '{"on_bad_row": "skip"}').status == 0
    rows = [json.loads(line) for line in (tmp_path / "pool" / "pool.jsonl").read_text().splitlines()]
    assert [row["id"].split("|")[0] for row in rows] == ["super_glue-cb"] * 5 + ["task"]
    assert all(set(row) == {"input", "target", "task", "template", "id"} for row in rows)


def test_one_round_of_a_query_file() -> None:
    path = str(FIXTURES / "fewshot.json")
    first, second = ([row.content["id"] for row in TriplesSource(path, shots=4, round=n).rows()] for n in range(2))
    assert len(first) == len(second) == 4 and first != second


def test_only_templates_that_exact_match_can_evaluate(tmp_path: Path) -> None:
    listed = {"super_glue-cb": {"GPT-3 style": ["Accuracy"], "can we infer": ["BLEU", "Squad"], "does this": ["ROUGE"]}}
    rows = [
        ["a", ["b"], f"{task}|train|{template}|#0"]
        for task, template in (
            ("super_glue-cb", "GPT-3 style"),
            ("super_glue-cb", "does this"),
            ("super_glue-cb", "can we infer"),
            ("super_glue-cb", "another"),
            ("imdb", "GPT-3 style"),
        )
    ]
    (tmp_path / "metrics.json").write_text(json.dumps(listed))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    source = TriplesSource(str(tmp_path / "rows.json"), metrics_path=str(tmp_path / "metrics.json"))
    assert source.inputs() == [tmp_path / "rows.json", tmp_path / "metrics.json"]
    unlisted, unfit = (
        Skipped("metrics_path does not list its template"),
        Skipped("exact match does not fit its template"),
    )
    first, *others = source.rows()
    assert isinstance(first, PoolRow) and isinstance(others[1], PoolRow)
    assert [others[0], *others[2:]] == [unfit, unlisted, unlisted]
    bleu = TriplesSource(str(tmp_path / "rows.json"), metrics_path=str(tmp_path / "metrics.json"), metrics=["BLEU"])
    assert [isinstance(row, PoolRow) for row in bleu.rows()] == [False, False, True, False, False]
    with pytest.raises(ConfigurationError, match="metrics.json: no such file"):
        TriplesSource(str(tmp_path / "rows.json"), metrics_path="/nowhere/metrics.json")
