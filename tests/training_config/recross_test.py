"""ReCross's configurations, from the upstream training to scores by template, on tiny models."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import TriplesReader
from attribution.sweeps import Sweep
from tests.conftest import ROWS

CONFIGS = Path(__file__).parents[2] / "training_config" / "recross"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "recross_triples"
GROUP = {"imdb": "sentiment", "ag_news": "topic_classification"}


def _rows(task: str, words: List[str]) -> List[Dict[str, Any]]:
    labels = {"task": task, "template": "one"}
    return [{**row, **labels, "input": f"{row['input']} {word}"} for row, word in zip(ROWS, words * 24)]


@pytest.fixture
def variables(
    tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Sets environment variables beside those of the tiny model and data."""
    pool = _rows("imdb", ["red"])[:8] + _rows("ag_news", ["green"])[:8]

    def set_all(**changes: Any) -> None:
        given = {
            "MODEL_NAME": tiny_model("bart"),
            "VBART_NAME": tiny_model("bart"),
            "SBERT_NAME": tiny_model("bert"),
            "EXTRA_BOS": "true",
            "NUM_BEAMS": "2",
            "SIZE": "6",
            "QUERY_SIZE": "3",
            **changes,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, str(value))

    set_all(
        POOL_PATH=write_jsonl("pool.jsonl", pool),
        UPSTREAM_PATH=write_jsonl("pool.jsonl", pool),
        QUERY_PATH=write_jsonl("queries.jsonl", _rows("super_glue-cb", ["blue"])[:3]),
        FEW_SHOT_PATH=write_jsonl("queries.jsonl", _rows("super_glue-cb", ["blue"])[:3]),
        RETRIEVED_PATH=write_jsonl("retrieved.jsonl", pool[:6]),
        OVERLAP_PATH=write_jsonl("test.jsonl", _rows("super_glue-cb", ["cat"])[:4]),
    )
    return set_all


def _lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name, extra_bos", [("bart", "true"), ("t5", "false")])
def test_upstream(name: str, extra_bos: str, variables: Any, tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    settings = {"LOSS": "sum", "LABEL_SMOOTHING": "0.1", "GENERATE": "true", "EXTRA_BOS": extra_bos}
    variables(MODEL_NAME=tiny_model(name), UPSTREAM_EPOCHS=1, VALIDATION_DATA_PATH=tmp_path / "test.jsonl", **settings)
    result = allennlp("train", CONFIGS / "upstream.jsonnet", "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    assert "validation_soft_exact_match/one" in json.loads((tmp_path / "run" / "metrics.json").read_text())
    # The folder is the MODEL_NAME of what follows.
    variables(MODEL_NAME=tmp_path / "run" / "transformer", EXTRA_BOS=extra_bos)
    result = allennlp("train", CONFIGS / "generalise.jsonnet", "-s", tmp_path / "next")
    assert result.status == 0, result.stderr


def test_published_settings(monkeypatch: pytest.MonkeyPatch, variables: Any) -> None:
    for name in ("MODEL_NAME", "EXTRA_BOS", "NUM_BEAMS", "SIZE", "QUERY_SIZE"):
        monkeypatch.delenv(name)
    config = Params.from_file(CONFIGS / "generalise.jsonnet").as_dict()
    reader, model, trainer = (config[part] for part in ("dataset_reader", "model", "trainer"))
    assert (reader["model_name"], reader["extra_bos"]) == ("yuchenlin/BART0", True)
    assert (reader["max_query_length"], reader["max_answer_length"]) == (512, 64)
    assert (model["loss"], model["label_smoothing"], model["undouble"]) == ("sum", 0.1, True)
    assert model["generation"] == {"num_beams": 4, "max_new_tokens": 64, "early_stopping": True}
    assert (trainer["num_epochs"], trainer["grad_norm"], trainer["optimizer"]["lr"]) == (1, 0.1, 6e-6)
    assert config["data_loader"]["batch_size"] == 4
    monkeypatch.setenv("EPOCHS", "2")  # As published it had no effect.
    assert Params.from_file(CONFIGS / "generalise.jsonnet").as_dict()["trainer"]["num_epochs"] == 2
    monkeypatch.delenv("EPOCHS")
    monkeypatch.setenv("MODE", "few_shot")
    config = Params.from_file(CONFIGS / "generalise.jsonnet").as_dict()
    assert (config["trainer"]["num_epochs"], config["trainer"]["optimizer"]["lr"]) == (5, 1e-5)
    assert config["dataset_reader"]["max_query_length"] == 386
    monkeypatch.setenv("AGGREGATOR", "published")
    config = Params.from_file(CONFIGS / "retrieve.jsonnet").as_dict()
    assert config["aggregator"] == {"type": "quota", "repeats": True, "size": 512}
    for aggregator, neighbours in (("quota", 512), ("mean_score", 48), ("round_robin", 512)):
        monkeypatch.setenv("AGGREGATOR", aggregator)
        config = Params.from_file(CONFIGS / "retrieve.jsonnet").as_dict()
        assert (config["queries"]["size"], config["neighbours"]) == (16, neighbours)
        assert config["aggregator"] == {"type": aggregator, "size": 512}
    monkeypatch.setenv("ARM", "bart0_rerank")
    monkeypatch.setenv("RERANKER", "roberta")
    config = Params.from_file(CONFIGS / "retrieve.jsonnet").as_dict()
    assert config["aggregator"]["size"] == 1024
    reranker = {"type": "cross_encoder", "model": "roberta", "size": 512, "upsampling": 2, "aggregation": "mean"}
    assert config["reranker"] == reranker
    for name, value in {"MU": "4", "MAX_QUERIES": "8", "AGGREGATION": "max", "CACHE_PATH": "scores"}.items():
        monkeypatch.setenv(name, value)
    changed = {"upsampling": 4, "max_queries": 8, "aggregation": "max", "cache": "scores"}
    assert Params.from_file(CONFIGS / "retrieve.jsonnet").as_dict()["reranker"] == {**reranker, **changed}


def test_the_published_models_begin_with_a_further_token(monkeypatch: pytest.MonkeyPatch, variables: Any) -> None:
    monkeypatch.delenv("EXTRA_BOS")
    for name, expected in (("yuchenlin/BART0pp", True), ("facebook/bart-large", False)):
        variables(MODEL_NAME=name)
        monkeypatch.delenv("EXTRA_BOS")
        configs = [Params.from_file(CONFIGS / f"{one}.jsonnet").as_dict() for one in ("generalise", "mine_loss")]
        assert (configs[0]["dataset_reader"]["extra_bos"], configs[1]["miner"]["extra_bos"]) == (expected, expected)
        for one in ("retrieve", "embed"):
            config = Params.from_file(CONFIGS / f"{one}.jsonnet").as_dict()
            assert config.get("encoder", config.get("retriever", {}).get("encoder")).get("extra_bos", False) == expected
        monkeypatch.setenv("EXTRA_BOS", "true")
        assert Params.from_file(CONFIGS / "mine_loss.jsonnet").as_dict()["miner"]["extra_bos"]


def test_few_queries_still_make_a_whole_quota(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    """Two queries of the 16 that were asked for: each gives half of the rows."""
    (tmp_path / "few.jsonl").write_text("".join((tmp_path / "queries.jsonl").open().readlines()[:2]))
    variables(ARM="bm25", AGGREGATOR="quota", QUERY_SIZE=16, SIZE=8, QUERY_PATH=tmp_path / "few.jsonl")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0 and "2 queries, where 16 were asked for" in result.stdout, result.stderr
    assert len(_lines(tmp_path / "out" / "retrieved.jsonl")) > 2


def test_published_lists_have_their_whole_size(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    """Three equal queries find the same two rows each: six, which are two."""
    lines = (tmp_path / "queries.jsonl").open().readlines()[:1] * 3
    (tmp_path / "equal.jsonl").write_text("".join(lines))
    variables(ARM="bm25", AGGREGATOR="published", QUERY_PATH=tmp_path / "equal.jsonl")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "out")
    rows = _lines(tmp_path / "out" / "retrieved.jsonl")
    assert result.status == 0 and "6 rows" in result.stdout, result.stderr
    assert Counter(Counter(row["index_id"] for row in rows).values()) == {3: 2}
    assert {row["attribution_frequency"] for row in rows} == {3}
    composition = json.loads((tmp_path / "out" / "composition.json").read_text())
    assert composition["rows"] == sum(part["rows"] for part in composition["tasks"].values()) == 6


@pytest.mark.parametrize(
    "arm, aggregator",
    [
        ("bart0", "quota"),
        ("bart0", "mean_score"),
        *((arm, "round_robin") for arm in ("bart0", "bart0_both", "vbart", "sbert", "bm25", "random", "two_stage")),
    ],
)
def test_arms(arm: str, aggregator: str, variables: Any, allennlp: Any, tmp_path: Path) -> None:
    if arm == "sbert":
        pytest.importorskip("sentence_transformers")
    variables(ARM=arm, AGGREGATOR=aggregator)
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    rows = _lines(tmp_path / "out" / "retrieved.jsonl")
    assert len({row["index_id"] for row in rows}) == len(rows)
    assert len(rows) == 6 if aggregator == "round_robin" else 2 <= len(rows) <= 6
    assert json.loads((tmp_path / "out" / "composition.json").read_text())["queries"] == {
        "used": 3,
        "asked": 3,
        "in_evaluation": 0,
    }


def test_rounds_draw_other_rows_and_other_queries(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    found, asked = [], []
    variables(ARM="random", TARGET_PATH=tmp_path / "pool.jsonl", TARGET_SIZE=3, TASKS="all")
    for name, number in (("0", 0), ("1", 1), ("again", 0)):
        variables(ROUND=number)
        assert allennlp("build-pool", CONFIGS / "target.jsonnet", "-s", tmp_path / f"queries_{name}").status == 0
        result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / f"rows_{name}")
        assert result.status == 0, result.stderr
        asked.append([row["input"] for row in _lines(tmp_path / f"queries_{name}" / "pool.jsonl")])
        found.append([row["index_id"] for row in _lines(tmp_path / f"rows_{name}" / "retrieved.jsonl")])
    assert found[0] == found[2] != found[1] and asked[0] == asked[2] != asked[1]
    assert {len(rows) for rows in found} == {6} and {len(rows) for rows in asked} == {3}


def test_a_round_of_a_query_file(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    variables(TARGET_PATH=FIXTURES / "fewshot.json", SHOTS=4, ROUND=1)
    result = allennlp("build-pool", CONFIGS / "target.jsonnet", "-s", tmp_path / "queries")
    assert result.status == 0, result.stderr
    expected = TriplesReader("unused", shots=4, round=1).examples(str(FIXTURES / "fewshot.json"))
    rows = _lines(tmp_path / "queries" / "pool.jsonl")
    assert sorted(row["input"] for row in rows) == sorted(example.input for example in expected)
    assert all({"references", "task", "template", "id"} <= set(row) for row in rows)


def test_without_a_group_and_without_the_targets_own_task(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    variables(ARM="bm25", REMOVE_GROUPS=GROUP["imdb"])
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "removed")
    assert result.status == 0, result.stderr
    assert {row["task"] for row in _lines(tmp_path / "removed" / "retrieved.jsonl")} == {"ag_news"}
    variables(REMOVE_GROUPS="", QUERY_PATH=tmp_path / "pool.jsonl")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "refused")
    assert result.status == 1 and "rows of the target's own task imdb" in result.stderr
    variables(OWN_TASK="drop")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "dropped")
    assert result.status == 0 and "8 of the target's own task left out" in result.stdout, result.stderr
    variables(ARM="best")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "wrong")
    assert result.status == 1 and 'ARM is \\"best\\"; bart0, bart0_both, bi_encoder' in result.stderr.replace(
        '"', '\\"'
    )


def test_stored_vectors_serve_all_rounds(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    variables(ARM="bart0")
    assert allennlp("embed", CONFIGS / "embed.jsonnet", "-s", tmp_path / "vectors").status == 0
    variables(VECTORS_PATH=tmp_path / "vectors")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr


def test_a_trained_index(variables: Any, write_jsonl: Any, allennlp: Any, tmp_path: Path) -> None:
    tuples = [
        {"query_examples": ["a red film"], "positive_examples": ["a cat"], "negative_examples": ["a dog", "a movie"]},
        {"query_examples": ["a blue film"], "positive_examples": ["the cat"], "negative_examples": ["the dog"]},
    ]
    path = write_jsonl("tuples.jsonl", tuples)
    variables(TUPLES_PATH=path, VALIDATION_DATA_PATH=path, EPOCHS=2, STEPS=2, BATCH_SIZE=2)
    result = allennlp("train", CONFIGS / "bi_encoder.jsonnet", "-s", tmp_path / "bi_encoder")
    assert result.status == 0, result.stderr
    variables(ARM="bi_encoder", BI_ENCODER=tmp_path / "bi_encoder", SEARCH="faiss")
    result = allennlp("retrieve", CONFIGS / "retrieve.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr


@pytest.mark.parametrize("mode", ["unsupervised", "few_shot", "mix", "none"])
def test_merge_modes(mode: str, variables: Any, tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    variables(MODE=mode, EPOCHS=1)
    run = tmp_path / "run"
    result = allennlp("train", CONFIGS / "generalise.jsonnet", "-s", run)
    assert result.status == 0, result.stderr
    output, predictions = tmp_path / "test.json", tmp_path / "predictions.jsonl"
    paths = ("--output-file", output, "--predictions-output-file", predictions)
    result = allennlp("evaluate", run / "model.tar.gz", tmp_path / "test.jsonl", *paths)
    assert result.status == 0, result.stderr
    assert {"soft_exact_match", "soft_exact_match/one", "exact_match/one"} <= set(json.loads(output.read_text()))
    assert [row["row"] for row in _lines(predictions)] == [0, 1, 2, 3]


def test_mix_repeats_the_few_rows(variables: Any) -> None:
    """As many of each: 6 retrieved rows once, 3 labelled ones twice (published: floor(|R| / |Q|) times)."""
    from allennlp.common.util import prepare_environment
    from allennlp.data import DataLoader, DatasetReader, Vocabulary

    variables(MODE="mix")
    config = Params.from_file(CONFIGS / "generalise.jsonnet")
    prepare_environment(Params({}))
    reader = DatasetReader.from_params(config["dataset_reader"])
    loader = DataLoader.from_params(config["data_loader"], reader=reader, data_path=config["train_data_path"].as_dict())
    loader.index_with(Vocabulary.empty())
    batches = list(loader)
    assert [len(batch["task"]) for batch in batches] == [4, 4, 4]
    seen = [(task, row) for batch in batches for task, row in zip(batch["task"], batch["row"])]
    assert sorted(row for task, row in seen if task == "retrieved") == [0, 1, 2, 3, 4, 5]
    assert sorted(row for task, row in seen if task == "few_shot") == [0, 0, 1, 1, 2, 2]


def test_two_stages(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    """The second starts from what the first left: with a rate of nothing it ends there."""
    variables(EPOCHS=1, LEARNING_RATE="1e-2")
    assert allennlp("train", CONFIGS / "generalise.jsonnet", "-s", tmp_path / "first").status == 0
    variables(MODE="two_stage", LEARNING_RATE="0")
    result = allennlp("train", CONFIGS / "generalise.jsonnet", "-s", tmp_path / "none")
    assert result.status == 1 and "WEIGHTS_NAME" in result.stderr
    variables(WEIGHTS_NAME=tmp_path / "first" / "best.th")
    result = allennlp("train", CONFIGS / "generalise.jsonnet", "-s", tmp_path / "second")
    assert result.status == 0, result.stderr
    first, second = (torch.load(tmp_path / run / "best.th", weights_only=True) for run in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_normalisations_do_not_decay(variables: Any) -> None:
    """As published, BART's did: their names were not the ones looked for."""
    from allennlp.data import Vocabulary
    from allennlp.models import Model
    from allennlp.training.optimizers import Optimizer

    config = Params.from_file(CONFIGS / "generalise.jsonnet")
    model = Model.from_params(config["model"], vocab=Vocabulary.empty())
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    optimizer = Optimizer.from_params(config["trainer"]["optimizer"], model_parameters=named)
    decays = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in named:
        spared = name.endswith("bias") or "layer_norm" in name or "layernorm_embedding" in name
        assert decays[id(weight)] == (0 if spared else 0.01), name


def test_an_unknown_mode(variables: Any, allennlp: Any, tmp_path: Path) -> None:
    variables(MODE="both")
    result = allennlp("train", CONFIGS / "generalise.jsonnet", "-s", tmp_path / "run")
    assert result.status == 1 and "MODE is" in result.stderr and "unsupervised" in result.stderr


@pytest.fixture
def rounds(variables: Any, tmp_path: Path) -> Callable[..., Dict[str, Dict[str, Any]]]:
    """What the sweep of all rounds makes, by point and step."""

    def plan(**changes: Any) -> Dict[str, Dict[str, Any]]:
        places = {"TARGET_PATH": tmp_path / "{TARGET}.jsonl", "TEST_PATH": tmp_path / "{TARGET}_test.jsonl"}
        variables(**{"TARGETS": "cb wic", "ROUNDS": 2, "RERANKER": "roberta", **places, **changes})
        sweep = Sweep.from_params(Params.from_file(CONFIGS / "rounds.jsonnet"))
        assert sweep.repeat == ["ROUND"] and sweep.columns == ["test.soft_exact_match", "test.exact_match"]
        points = sweep.plan(Path("runs"))
        axes = ("TARGET", "ARM", "ROUND")
        return {" ".join(str(planned.point[axis]) for axis in axes): planned.runs for planned in points}

    return plan


def test_rounds_have_other_queries_and_the_same_test_rows(rounds: Any, tmp_path: Path) -> None:
    runs = rounds(ARMS="bart0 bm25", TEST_SIZE=4)
    first, second = (runs[f"cb bm25 {number}"] for number in range(2))
    assert first["test_rows"] == second["test_rows"] and first["queries"] != second["queries"]
    assert first["queries"] == runs["cb bart0 0"]["queries"] != runs["wic bm25 0"]["queries"]
    drawn = [run["queries"].made_of["configuration"] for run in (first, second)]
    assert [(one["seed"], one["max_rows"]) for one in drawn] == [(42, 3), (43, 3)]
    assert first["test_rows"].made_of["configuration"]["max_rows"] == 4
    assert first["test_rows"].made_of["configuration"]["sources"][0]["path"] == str(tmp_path / "cb_test.jsonl")
    queries = first["rows"].made_of["configuration"]["queries"]
    assert queries["path"] == "runs/queries/ROUND=0,TARGET=cb/pool.jsonl"
    assert queries["overlap"] == {"path": "runs/test_rows/TARGET=cb/pool.jsonl"}
    assert (
        first["test"].made_of["input"] == "runs/test_rows/TARGET=cb/pool.jsonl" and first["test"].made_of["predictions"]
    )


def test_arms_share_vectors_and_the_baseline_is_not_trained(rounds: Any) -> None:
    runs = rounds(ARMS="none random bm25 sbert bart0 bart0_rerank", INDEX_PATH="indexes")
    plain, reranked = (runs[f"cb {arm} 0"]["rows"].made_of["configuration"] for arm in ("bart0", "bart0_rerank"))
    assert plain["retriever"] == reranked["retriever"]
    assert plain["retriever"]["vectors"] == "runs/vectors_bart0/all"
    assert "reranker" not in plain and (plain["aggregator"]["size"], reranked["aggregator"]["size"]) == (6, 12)
    assert (reranked["reranker"]["model"], reranked["reranker"]["size"]) == ("roberta", 6)
    assert runs["wic sbert 1"]["rows"].made_of["configuration"]["retriever"]["vectors"] == "runs/vectors_sbert/all"
    assert runs["cb bm25 0"]["rows"].made_of["configuration"]["retriever"]["index"] == "indexes/bm25"
    assert set(runs["cb none 0"]) == {"test_rows", "any_row", "tuned", "test"}
    assert runs["cb none 0"] == runs["cb none 1"] != runs["wic none 0"]  # Measured once.
    assert runs["cb none 0"]["tuned"].made_of["configuration"]["trainer"]["type"] == "no_op"
    tuned = runs["cb random 1"]["tuned"].made_of["configuration"]
    assert tuned["train_data_path"] == "runs/rows/ARM=random,ROUND=1,TARGET=cb/retrieved.jsonl"
    assert tuned["random_seed"] == 43


def test_without_retrieval_the_labelled_rows_remain(rounds: Any) -> None:
    runs = rounds(ARMS="none bm25", MODE="two_stage")
    first, tuned = (runs["cb bm25 0"][step].made_of["configuration"] for step in ("first", "tuned"))
    assert first["train_data_path"] == "runs/rows/ARM=bm25,ROUND=0,TARGET=cb/retrieved.jsonl"
    assert tuned["train_data_path"] == "runs/queries/ROUND=0,TARGET=cb/pool.jsonl"
    assert tuned["model"]["weights_file"] == "runs/first/ARM=bm25,ROUND=0,TARGET=cb/best.th"
    alone = runs["cb none 0"]["tuned"].made_of["configuration"]
    assert alone["train_data_path"] == tuned["train_data_path"] and "weights_file" not in alone["model"]
    assert rounds(ARMS="none", MODE="mix")["cb none 0"]["tuned"].made_of["configuration"]["trainer"]["num_epochs"] == 5


def test_vectors_that_are_there_are_used(rounds: Any) -> None:
    runs = rounds(ARMS="none bart0 sbert", VECTORS_BART0="there")
    stores = {
        arm: runs[f"cb {arm} 0"]["rows"].made_of["configuration"]["retriever"]["vectors"] for arm in ("bart0", "sbert")
    }
    assert stores == {"bart0": "there", "sbert": "runs/vectors_sbert/all"} and "vectors_bart0" not in runs["cb bart0 0"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"ARMS": " "}, "ARMS is empty"),
        ({"TARGETS": ""}, "TARGETS is empty"),
        ({"ROUNDS": 0}, "ROUNDS is 0; at least one"),
    ],
)
def test_no_rounds_at_all(changes: Any, message: str, rounds: Any) -> None:
    with pytest.raises((ConfigurationError, RuntimeError), match=message):
        rounds(**changes)
    assert set(rounds(TARGETS=" cb  wic ", ARMS="none ", ROUNDS=1)) == {"cb none 0", "wic none 0"}


def test_several_base_models(rounds: Any, tmp_path: Path, allennlp: Any, tiny_model: Any, write_jsonl: Any) -> None:
    """As an axis, of which test rows and query sets do not depend."""
    names = [tiny_model("bart"), tiny_model("t5")]
    rounds(ARMS="none bart0", MODEL_NAME=json.dumps(names), TARGETS="cb")
    planned = Sweep.from_params(Params.from_file(CONFIGS / "rounds.jsonnet")).plan(Path("runs"))
    assert len({point.runs["test_rows"].directory for point in planned}) == 1
    assert len({point.runs["queries"].directory for point in planned if "queries" in point.runs}) == 2
    vectors = [point.runs["vectors_bart0"] for point in planned if "vectors_bart0" in point.runs]
    assert {run.made_of["configuration"]["encoder"]["model_name"] for run in vectors} == {*names}
    tuned = {
        (point.point["MODEL_NAME"], point.runs["tuned"].made_of["configuration"]["model"]["model_name"])
        for point in planned
    }
    assert tuned == {(name, name) for name in names}
    write_jsonl("cb_test.jsonl", _rows("super_glue-cb", ["cat"])[:2])
    rounds(ARMS="none", MODEL_NAME=json.dumps(names), TARGETS="cb", ROUNDS=2, NUM_BEAMS=1)
    result = allennlp("sweep", CONFIGS / "rounds.jsonnet", "-s", tmp_path / "runs")
    assert result.status == 0 and "6 steps" in result.stdout, (result.stdout, result.stderr)
    header, *lines = (tmp_path / "runs" / "results.csv").read_text().splitlines()
    assert header.startswith("ARM,MODEL_NAME,TARGET,n,") and [line.split(",")[3] for line in lines] == ["2", "2"]


def test_an_untrained_model_needs_no_rows_to_draw_queries_from(rounds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds(ARMS="none")
    monkeypatch.delenv("TARGET_PATH")
    monkeypatch.delenv("POOL_PATH")
    planned = Sweep.from_params(Params.from_file(CONFIGS / "rounds.jsonnet")).plan(Path("runs"))
    assert {run.directory for one in planned for run in one.runs.values()} == {
        Path(f"runs/{step}/{place}TARGET={target}")
        for target in ("cb", "wic")
        for step, place in [
            ("test_rows", ""),
            ("any_row", ""),
            ("tuned", "ARM=none,ROUND=0,"),
            ("test", "ARM=none,ROUND=0,"),
        ]
    }


def test_a_reranked_arm_needs_a_reranker(rounds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds(ARMS="bm25_rerank")
    monkeypatch.delenv("RERANKER")
    with pytest.raises(ConfigurationError, match="rows/ARM=bm25_rerank,ROUND=0,TARGET=cb.*RERANKER"):
        Sweep.from_params(Params.from_file(CONFIGS / "rounds.jsonnet")).plan(Path("runs"))


def test_a_task_is_divided(tmp_path: Path, allennlp: Any, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its files are called, rows of all parts are of the task: `own_task` compares names."""
    for part, count in (("train", 30), ("validation", 9)):
        rows = [{"q": f"{part} {number}", "label": number % 2} for number in range(count)]
        monkeypatch.setenv(f"{part.upper()}_DATA_PATH", write_jsonl(f"{part}.jsonl", rows))
    template = "!Template {name: %s, jinja: '%s {{q}} ||| {{answer_choices[label]}}', answer_choices: no ||| yes, "
    template += "id: %s, reference: '', metadata: !TemplateMetadata {metrics: [%s]}}"
    names = {"a": "Accuracy", "b": "Squad", "c": "BLEU"}
    yaml = [f"  {name}: {template % (name, name, name, metric)}\n" for name, metric in names.items()]
    (tmp_path / "templates.yaml").write_text("dataset: d\ntemplates:\n" + "".join(yaml))
    monkeypatch.setenv("TEMPLATES_PATH", str(tmp_path / "templates.yaml"))
    monkeypatch.setenv("TASK", "super_glue-cb")
    sizes = json.dumps({"size": 8, "shots": [2]})
    result = allennlp("divide", CONFIGS / "divide.jsonnet", "-s", tmp_path / "out", "-o", sizes)
    assert result.status == 0, result.stderr
    parts = [json.loads((tmp_path / f"out/{name}.json").read_text()) for name in ("upstream", "validation", "test")]
    assert [len(part) for part in parts] == [52, 8, 8]
    assert {tuple(row[2].split("|")[:2]) for row in parts[0] + parts[1]} == {("super_glue-cb", "train")}
    assert {tuple(row[2].split("|")[:2]) for row in parts[2]} == {("super_glue-cb", "validation")}
    assert {row[2].split("|")[2] for row in parts[0]} == {"a", "b"}
