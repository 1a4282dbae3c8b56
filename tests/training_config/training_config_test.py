"""Every shipped configuration resolves and its parts are built; DEFT's own runs on a tiny model."""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from allennlp.common import Params
from allennlp.data import DatasetReader
from allennlp.models.archival import load_archive
from datasets import Dataset
from safetensors.torch import load_file

from attribution.similarity import SimilarityMatrix
from tests.conftest import ROWS
from tests.ensembling.conftest import LORA, lora_tensors, write_delta_folder
from tests.models.conftest import make_model

CONFIGS = Path(__file__).parents[2] / "training_config"
FIXTURES = Path(__file__).parents[1] / "fixtures"

WIC = [
    {"word": word, "sentence1": f"a {word} film", "sentence2": f"this {word}", "label": number % 2}
    for number, word in enumerate(("one", "two", "three", "four", "five", "good"))
]

PARAGRAPHS = [("one", "No"), ("two", "Yes"), ("three", "No"), ("four", "Yes"), ("five", "No")]


@pytest.fixture
def environment(
    tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Dict[str, str]:
    rows = write_jsonl("rows.jsonl", ROWS)
    # Of WiC's training rows the reader sets a thousand aside for validation; RTE's are the readers' own fixtures.
    wic = Path(write_jsonl("wic.jsonl", WIC * 168)).parent / "aps" / "super_glue" / "wic"
    wic.mkdir(parents=True)
    (wic.parents[2] / "wic.jsonl").rename(wic / "train.jsonl")
    write_jsonl("wic.jsonl", WIC)
    (wic.parents[2] / "wic.jsonl").rename(wic / "validation.jsonl")
    shutil.copytree(FIXTURES / "tasks" / "aps" / "super_glue" / "rte", wic.parent / "rte")
    variables = {
        "ATTRIBUTION_DATASETS": str(wic.parents[2]),
        "MODEL_NAME": tiny_model("t5"),
        "ENCODER_NAME": tiny_model("t5"),
        "EPOCHS": "2",
        "TRAIN_DATA_PATH": rows,
        "TEST_DATA_PATH": rows,
        "TASK": "films",
        "P3_TRAIN_DATA_PATH": rows,
        "VALIDATION_DATASET_READER_NAME": "wic_reader",
        "TRAIN_DATASET_READER_NAME": "wic_reader",
        "INSTANCES_PER_EPOCH": "12",
        "POOL_PATH": rows,
        "POOL_SOURCE": rows,
        "QUERY_PATH": rows,
        "NUM_NEIGHBORS": "3",
        "QUERY_READERS": "wic_reader rte_reader",
        "RETRIEVED_PATH": rows,
        "FEW_SHOT_PATH": rows,
        "UPSTREAM_PATH": rows,
        "TARGET_PATH": rows,
        "TEMPLATES_PATH": "/nowhere/templates.yaml",
        "TEST_PATH": rows,
        "TUPLES_PATH": rows,
        "NI_PATH": "/nowhere",
        "DEMO_CACHE": "/nowhere",
        "WEIGHTS_NAME": "/nowhere/weights.th",
        "STEPS": "5",
        "DELTAS": "/nowhere/*",
        "COVARIANCE_PATH": rows,
        "CHECKPOINT": "gpt2",
        "TEXT_PATH": rows,
        "VECTORS": "/nowhere/*",
        "OTHERS": "/nowhere/*",
        "SIZES": "10 100",
        "RERANKER": "/nowhere",
        "TARGETS": "/nowhere",
        "GYM": str(FIXTURES / "fewshot_gym"),
        "ROUTER_FROM": "/nowhere",
        "ARCHIVE": "/nowhere/model.tar.gz",
        "ROWS": "/nowhere",
        "TASKS": "T0",
        "METRIC": "accuracy",
        "MODELS": f"{tiny_model('bert')} {tiny_model('t5')}",
        "FEATURES": "",
        "CHECKPOINTS": "",
        "IMAGES_PATH": rows,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.jsonnet")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_resolves(path: Path, environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    if path.name == "agent.jsonnet":
        monkeypatch.setenv("CHECKPOINT", "agent007")
    if path.name == "divide.jsonnet":
        monkeypatch.setenv("TASK", "super_glue-cb")
        monkeypatch.setenv("VALIDATION_DATA_PATH", environment["TRAIN_DATA_PATH"])
    if path.name in ("probe.jsonnet", "compare_sets.jsonnet", "compare_singles.jsonnet"):
        monkeypatch.setenv("TASK", "conllx_pos")
        monkeypatch.setenv("VALIDATION_DATA_PATH", environment["TRAIN_DATA_PATH"])
    assert Params.from_file(path).as_dict()


@pytest.mark.parametrize("name", ["task_retrieved_only", "task_specific_train", "task_multitask_train"])
def test_deft_trains(name: str, environment: Dict[str, str], allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = allennlp("train", CONFIGS / "deft" / f"{name}.jsonnet", "-s", folder, "--include-package", "attribution")
    assert result.status == 0, result.stderr
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["epoch"] == 1
    if name == "task_retrieved_only":
        assert {"validation_accuracy", "best_validation_accuracy"} <= set(metrics)
        predictions = folder / "predictions.jsonl"
        archive = folder / "model.tar.gz"
        assert allennlp("evaluate", archive, "dummy", "--predictions-output-file", predictions).status == 0
        assert len(predictions.read_text().splitlines()) == 6


@pytest.mark.parametrize("name", ["ia3_train", "ia3_train_load"])
def test_deft_trains_ia3_on_few_shots(
    name: str,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Any,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    base = tiny_model("t5_gated")
    monkeypatch.setenv("MODEL_NAME", base)
    trained = make_model(base, random_weights=True)
    torch.save(trained.state_dict(), tmp_path / "weights.th")
    monkeypatch.setenv("WEIGHTS_NAME", str(tmp_path / "weights.th"))
    folder = tmp_path / "run"
    result = allennlp("train", CONFIGS / "deft" / f"{name}.jsonnet", "-s", folder, "--include-package", "attribution")
    assert result.status == 0, result.stderr
    tensors = load_file(folder / "adapter_model.safetensors")
    assert {name.split(".")[-2] for name in tensors} == {"k", "v", "wi_1"}
    assert any((tensor != 1).any() for tensor in tensors.values())
    # The archive has IA3's vectors alone and takes the other weights from where they were.
    loaded = load_archive(folder / "model.tar.gz").model
    assert len(torch.load(folder / "best.th", weights_only=True)) == len(tensors)
    expected = trained.transformer if name == "ia3_train_load" else make_model(base).transformer
    assert torch.equal(loaded.transformer.shared.weight, expected.shared.weight)


def test_validation_may_be_a_file_or_left_out(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    config = CONFIGS / "deft" / "task_retrieved_only.jsonnet"
    monkeypatch.delenv("VALIDATION_DATASET_READER_NAME")
    assert "validation_data_path" not in Params.from_file(config).as_dict()
    monkeypatch.setenv("VALIDATION_DATA_PATH", environment["TRAIN_DATA_PATH"])
    assert Params.from_file(config).as_dict()["validation_dataset_reader"]["type"] == "p3_jsonl"


def test_deft_retrieves(environment: Dict[str, str], allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("retrieve", CONFIGS / "deft" / "retrieve.jsonnet", "-s", tmp_path / "retrieved")
    assert result.status == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "retrieved" / "retrieved.jsonl").read_text().splitlines()]
    assert [row["index_id"] for row in rows] == list(range(len(ROWS)))  # Each query finds at least itself.
    assert all(row["attribution_frequency"] >= 1 for row in rows)


@pytest.mark.parametrize("retriever", ["bm25", "faiss", "random", "balanced_random"])
def test_deft_retrieves_in_other_ways(
    retriever: str,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    write_jsonl: Any,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("POOL_PATH", write_jsonl("pool.jsonl", [{**row, "task": "films"} for row in ROWS]))
    monkeypatch.setenv("RETRIEVER", retriever)
    monkeypatch.setenv("SIZE", "4")
    result = allennlp("retrieve", CONFIGS / "deft" / "retrieve.jsonnet", "-s", tmp_path / "retrieved")
    assert result.status == 0, result.stderr
    assert (tmp_path / "retrieved" / "retrieved.jsonl").read_text().count("\n") == 4


def test_flags_are_deft_s_configuration(environment: Dict[str, str], allennlp: Any, tmp_path: Path) -> None:
    pool = environment["POOL_PATH"]
    result = allennlp("retrieve", CONFIGS / "deft" / "retrieve.jsonnet", "-s", tmp_path / "config")
    assert result.status == 0, result.stderr
    flags = ("--pool", pool, "--queries", pool, "--encoder", environment["ENCODER_NAME"], "--neighbours", 3)
    result = allennlp("retrieve", *flags, "-s", tmp_path / "flags")
    assert result.status == 0, result.stderr
    logs = [(tmp_path / name / "search_log.jsonl").read_text() for name in ("config", "flags")]
    assert logs[0] == logs[1] and json.loads(logs[0].splitlines()[0])["scores"][-1] < 0  # Distances.


def test_deft_s_index_by_its_name(environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVER", "deft")
    retriever = Params.from_file(CONFIGS / "deft" / "retrieve.jsonnet").as_dict()["retriever"]
    assert (retriever["type"], retriever["factory"], retriever["metric"]) == ("faiss", "deft", "l2")


def test_deft_retrieves_from_stored_vectors(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    retrieve = ["retrieve", CONFIGS / "deft" / "retrieve.jsonnet", "-s"]
    assert allennlp(*retrieve, tmp_path / "encoded").status == 0
    result = allennlp("embed", CONFIGS / "deft" / "embed.jsonnet", "-s", tmp_path / "vectors")
    assert result.status == 0, result.stderr
    monkeypatch.setenv("VECTORS_PATH", str(tmp_path / "vectors"))
    assert allennlp(*retrieve, tmp_path / "stored").status == 0
    rows = [(tmp_path / name / "retrieved.jsonl").read_text().count("\n") for name in ("encoded", "stored")]
    assert rows[0] == rows[1]


def test_deft_retrieves_for_several_tasks(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("QUERY_SPLIT", "validation")
    monkeypatch.setenv("OVERLAP_SPLIT", "validation")
    result = allennlp("retrieve", CONFIGS / "deft" / "retrieve_tasks.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    for name, queries in (("wic_reader", 6), ("rte_reader", 5)):
        assert (tmp_path / "out" / name / "search_log.jsonl").read_text().count("\n") == queries
        assert (tmp_path / "out" / name / "retrieved.jsonl").read_text()


def test_deft_trains_on_drop(environment: Dict[str, str], allennlp: Any, tmp_path: Path) -> None:
    folder = Path(environment["ATTRIBUTION_DATASETS"]) / "ucinlp" / "drop"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        shutil.copy(FIXTURES / "drop" / "drop_dataset_dev.json", folder / f"{split}.json")
    overrides = {f"{reader}.val_size": 2 for reader in ("dataset_reader", "validation_dataset_reader")}
    result = allennlp(
        "train", CONFIGS / "deft" / "drop_train.jsonnet", "-s", tmp_path / "run", "-o", json.dumps(overrides)
    )
    assert result.status == 0, result.stderr
    assert {"validation_drop_em", "validation_drop_f1"} <= set(json.loads((tmp_path / "run/metrics.json").read_text()))


def test_deft_retrieves_for_qasper(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, write_jsonl: Any, allennlp: Any, tmp_path: Path
) -> None:
    rows = [{"input": f"this was the film {word} ?", "target": answer} for word, answer in PARAGRAPHS]
    monkeypatch.setenv("QUERY_PATH", write_jsonl("paragraphs.jsonl", rows))
    monkeypatch.setenv("CORESET_SIZE", "2")
    result = allennlp("retrieve", CONFIGS / "deft" / "qasper_retrieve.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert (tmp_path / "out" / "search_log.jsonl").read_text().count("\n") == 5
    assert (tmp_path / "out" / "retrieved.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize("evidence_only, queries", [("false", 10), ("true", 6)])  # Of ten three are evidence.
def test_deft_retrieves_for_qasper_as_it_is_published(
    evidence_only: str,
    queries: int,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("QUERY_PATH", str(FIXTURES / "qasper" / "qasper-dev-v0.3.json"))
    monkeypatch.setenv("QUERY_READER", "qasper_evidence_prompt")
    config = tmp_path / "qasper.jsonnet"
    published = CONFIGS / "deft" / "qasper_retrieve.jsonnet"
    config.write_text(f"(import '{published}') + {{ evidence_only:: {evidence_only} }}")
    result = allennlp("retrieve", config, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    log = [json.loads(line) for line in (tmp_path / "out" / "search_log.jsonl").read_text().splitlines()]
    found = [json.loads(line) for line in (tmp_path / "out" / "retrieved.jsonl").read_text().splitlines()]
    assert len(log) == queries
    if evidence_only == "false":  # All queries count.
        assert {row["index_id"] for row in found} == {one for query in log for one in query["ids"]}


def _split(reader: Dict[str, Any]) -> List[str]:
    return [example.input for example in DatasetReader.from_params(Params(dict(reader))).examples("dummy")]


def test_what_deft_queries_of_casehold_is_never_evaluated(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, write_jsonl: Any
) -> None:
    rows = [
        {"context": f"case {number}", "endings": [f"{number} {ending}" for ending in "abcde"], "label": number % 5}
        for number in range(1300)
    ]
    folder = Path(environment["ATTRIBUTION_DATASETS"]) / "coastalcph" / "lex_glue" / "case_hold"
    folder.mkdir(parents=True)
    for split, some in (("train", rows[:7]), ("validation", rows)):
        Path(write_jsonl("split.jsonl", some)).rename(folder / f"{split}.jsonl")
    divided = Dataset.from_list(rows).train_test_split(train_size=1000, seed=42)  # As the published reader does it.
    monkeypatch.setenv("QUERY_READERS", "casehold_reader wic_reader")
    monkeypatch.setenv("OVERLAP_SPLIT", "validation")
    monkeypatch.setenv("VALIDATION_DATASET_READER_NAME", "casehold_reader")
    tasks = CONFIGS / "deft" / "retrieve_tasks.jsonnet"
    evaluated = [row["context"] for row in divided["test"]]
    for asked in ("", "validation"):
        monkeypatch.setenv("QUERY_SPLIT", asked) if asked else monkeypatch.delenv("QUERY_SPLIT", raising=False)
        target = Params.from_file(tasks).as_dict()["targets"]["casehold_reader"]
        queried, overlap = _split(target["reader"]), _split(target["overlap"]["reader"])
        assert [text.split("\n")[1] for text in queried] == [f"Text: {row['context']} " for row in divided["train"]]
        assert [text.split("\n")[1] for text in overlap] == [f"Text: {context} " for context in evaluated]
    for name in ("task_retrieved_only", "ia3_train", "tfew"):
        settings = Params.from_file(CONFIGS / "deft" / f"{name}.jsonnet").as_dict()
        assert len(_split(settings["validation_dataset_reader"])) == 300 == len(evaluated)
    monkeypatch.setenv("QUERY_SPLIT", "test")
    with pytest.raises(RuntimeError, match="QUERY_SPLIT is test: those rows of casehold_reader are evaluated"):
        Params.from_file(tasks)


@pytest.mark.parametrize(
    "name, reader",
    [
        ("retrieve_tasks", "targets.wic_reader.reader"),
        ("task_retrieved_only", "validation_dataset_reader"),
        ("task_specific_train", "dataset_reader"),
        ("task_multitask_train", "dataset_reader.readers.task"),
        ("ia3_train", "validation_dataset_reader"),
        ("ia3_train_load", "validation_dataset_reader"),
        ("tfew", "validation_dataset_reader"),
    ],
)
def test_published_prompts_are_one_setting(name: str, reader: str, environment: Dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.jsonnet"
    for prompts, wanted in (("{}", None), ("{ prompts:: 'faithful' }", "faithful")):
        config.write_text(f"(import '{CONFIGS}/deft/{name}.jsonnet') + {prompts}")
        block = Params.from_file(config).as_dict()
        for key in reader.split("."):
            block = block[key]
        assert block.get("prompts") == wanted


def test_deft_retrieves_for_natural_instructions(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    config = CONFIGS / "deft" / "ni_retrieve.jsonnet"
    targets = Params.from_file(config).as_dict()["targets"]
    tasks = [target["reader"]["tasks"][0] for target in targets.values()]
    assert len(set(tasks)) == 12
    for folder in ("tasks", "splits/default"):
        (tmp_path / "ni" / folder).mkdir(parents=True)
    (tmp_path / "ni" / "splits" / "default" / "test_tasks.txt").write_text("\n".join(f"{task}_films" for task in tasks))
    for task in tasks:
        instances = [{"id": f"{task}-{number}", "input": f"the film {number}", "output": []} for number in range(2)]
        (tmp_path / "ni" / "tasks" / f"{task}_films.json").write_text(json.dumps({"Instances": instances}))
    monkeypatch.setenv("NI_PATH", str(tmp_path / "ni"))
    result = allennlp("retrieve", config, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert all((tmp_path / "out" / name / "search_log.jsonl").read_text().count("\n") == 2 for name in targets)


@pytest.mark.parametrize("name, rows", [("few_shots", 5), ("novelty", len(ROWS))])
def test_deft_chooses_and_sorts(
    name: str, rows: int, environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUM_SHOTS", "5")
    result = allennlp("novelty", CONFIGS / "deft" / f"{name}.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert (tmp_path / "out" / "rows.jsonl").read_text().count("\n") == rows


def test_deft_composes_a_pool(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAX_PER_TASK", "10")
    result = allennlp("build-pool", CONFIGS / "deft" / "build_pool.jsonnet", "-s", tmp_path / "pool")
    assert result.status == 0, result.stderr
    assert (tmp_path / "pool" / "pool.jsonl").read_text().count("\n") == 10
    monkeypatch.setenv("POOL_PATH", str(tmp_path / "pool" / "pool.jsonl"))
    monkeypatch.setenv("RETRIEVER", "bm25")
    result = allennlp("retrieve", CONFIGS / "deft" / "retrieve.jsonnet", "-s", tmp_path / "retrieved")
    assert result.status == 0, result.stderr


def test_the_pool_of_t0_is_the_published_list(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("P3_PATH", str(tmp_path / "P3"))
    config = Params.from_file(CONFIGS / "deft" / "t0_pool.jsonnet").as_dict()
    sources = config["sources"]
    assert len({source["task"] for source in sources}) == len(sources) == 313
    for source in sources[:3]:
        folder = tmp_path / "P3" / source["data_dir"] / "train"
        folder.mkdir(parents=True)
        row = {"inputs_pretokenized": f"{source['task']} ?", "targets_pretokenized": "yes", "inputs": [1, 2]}
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), folder / "0000.parquet")
    (tmp_path / "three.json").write_text(json.dumps({**config, "sources": sources[:3], "shuffle": False}))
    result = allennlp("build-pool", tmp_path / "three.json", "-s", tmp_path / "pool")
    assert result.status == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "pool" / "pool.jsonl").read_text().splitlines()]
    assert [(row["input"], row["target"], row["task"]) for row in rows] == [
        (f"{source['task']} ?", "yes", source["task"]) for source in sources[:3]
    ]


def test_recross_composes_a_pool_of_triples(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    config = CONFIGS / "recross" / "build_pool.jsonnet"
    assert len(Params.from_file(config).as_dict()["tasks"]) == 36
    monkeypatch.setenv("TASKS", "all")
    monkeypatch.setenv("POOL_SOURCE", str(FIXTURES / "recross_triples" / "test-1000.json"))
    result = allennlp("build-pool", config, "-s", tmp_path / "pool")
    assert result.status == 0, result.stderr
    assert (tmp_path / "pool" / "pool.jsonl").read_text().count("\n") == 5


def test_task_moe_builds_a_gym(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, write_jsonl: Any, allennlp: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEST_DATA_PATH", write_jsonl("test.jsonl", [{**ROWS[0], "input": "a test"}]))
    monkeypatch.setenv("SHOTS", "2")
    monkeypatch.setenv("PER_CLASS", "true")
    monkeypatch.setenv("SEEDS", "1 2")
    result = allennlp("build-gym", CONFIGS / "task_moe" / "build_gym.jsonnet", "-s", tmp_path / "gym")
    assert result.status == 0, result.stderr
    assert len(list((tmp_path / "gym" / "films").iterdir())) == 6
    assert (tmp_path / "gym" / "films" / "films_2_1_train.tsv").read_text().count("\n") == 4


def test_task_moe_trains_in_two_stages(
    environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    (tmp_path / "metrics.json").write_text('{"boolq": "ACC", "web_questions": "EM"}')
    settings = {"UPDATES": "4", "EVERY": "2", "BATCH_SIZE": "2", "RATE": "1.5", "SEEDS": "13", "ANSWER_PREFIX": ""}
    one, two = tmp_path / "one", tmp_path / "two"
    for name, value in {**settings, "ROUTER_FROM": str(one), "TASK_METRICS": str(tmp_path / "metrics.json")}.items():
        monkeypatch.setenv(name, value)
    for stage, folder in (("stage_one", one), ("stage_two", two)):
        result = allennlp("train", CONFIGS / "task_moe" / f"{stage}.jsonnet", "-s", folder)
        assert result.status == 0, result.stderr
        metrics = json.loads((folder / "metrics.json").read_text())
        assert {"best_validation_fewshot_gym", "best_validation_fewshot_gym/boolq"} <= set(metrics)
    weights = [torch.load(folder / "best.th", weights_only=True) for folder in (one, two)]
    assert torch.equal(*[of["router.routers.3.2.weight"] for of in weights])
    assert weights[1]["selector.temperature.updates"].item() == 2 * (metrics["best_epoch"] + 1)


@pytest.mark.parametrize("selector", ["uniform", "task_random"])
def test_task_moe_trains_without_a_router(
    selector: str, environment: Dict[str, str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    settings = {"SELECTOR": selector, "N": "2", "UPDATES": "2", "EVERY": "2", "BATCH_SIZE": "2", "ONE_TASK": "true"}
    for name, value in {**settings, "EXPERT": "lora", "SEEDS": "13"}.items():
        monkeypatch.setenv(name, value)
    result = allennlp("train", CONFIGS / "task_moe" / "stage_one.jsonnet", "-s", tmp_path / "run")
    assert result.status == 0, result.stderr


@pytest.mark.parametrize(
    "weighting, merger",
    [
        ("softmax", "linear"),
        ("linear", "product_space"),
        ("top_k", "ties"),
        ("softmax", "per_block"),
        ("uniform", "linear"),
        ("group", "linear"),
    ],
)
def test_weight_ensembling_merges(
    weighting: str,
    merger: str,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    names = ["adversarialqa", "hotpot_qa", "superglue-record"]
    for number, name in enumerate(names):
        write_delta_folder(tmp_path / "runs" / name / "delta", lora_tensors(number), **LORA)
    scores = np.abs(np.random.default_rng(0).normal(size=(3, 3, 2)))
    parts = ["encoder.block.0", "decoder.block.1"]
    by_block = merger == "per_block"
    SimilarityMatrix(
        names, names, scores if by_block else scores[:, :, 0], True, "block", parts if by_block else ()
    ).save(tmp_path / "similarity.npz")
    for variable, value in {
        "DELTAS": str(tmp_path / "runs" / "*" / "delta"),
        "SIMILARITY": str(tmp_path / "similarity.npz"),
        "WEIGHTING": weighting,
        "MERGER": merger,
        "TOP_K": "2",
        "RANK": "3",
        "TARGETS": "hotpot_qa adversarialqa",
        "HEAT_MAP": "true",
    }.items():
        monkeypatch.setenv(variable, value)
    config = CONFIGS / "weight_ensembling" / "ensemble.jsonnet"
    result = allennlp("ensemble", config, "-s", tmp_path / "merged")
    assert result.status == 0, result.stderr
    assert "2 deltas merged from 3" in result.stdout
    assert json.loads((tmp_path / "merged" / "hotpot_qa" / "weights.json").read_text())["target"] == "hotpot_qa"
    assert (tmp_path / "merged" / "weights.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "measure, granularity, shape",
    [
        ("loss", "", (2, 2)),
        ("kl", "", (2, 2)),
        ("grand", "layer", (2, 2, 6)),
        ("hidden_cosine", "block", (2, 2, 4)),
        ("parameter_cosine", "block", (2, 2, 4)),
        ("euclidean", "layer", (2, 2, 6)),
        ("performance", "", (2, 2)),
        ("result_tsv", "", (2, 2)),
    ],
)
def test_weight_ensembling_measures(
    measure: str,
    granularity: str,
    shape: Any,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    base = environment["MODEL_NAME"]
    for name in ("boolq", "web_questions"):
        model = make_model(base, delta={"type": "lora", "r": 2})
        model.delta.save(model.transformer, tmp_path / "runs" / name / "delta", base)
        for target in ("boolq", "web_questions"):
            tuned = tmp_path / "tuned" / f"TARGET={target},SOURCE={name}"
            model.delta.save(model.transformer, tuned, base)
            (tuned / "metrics.json").write_text(json.dumps({"accuracy": 0.5}))
    (tmp_path / "result.tsv").write_text("1\n2\n3\n4\n")
    tuned = tmp_path / "tuned" / "TARGET={target},SOURCE={source}"
    deltas = str(tmp_path / "runs" / "*" / "delta")
    for variable, value in {
        "DELTAS": deltas,
        "TARGETS": str(FIXTURES / "fewshot_gym"),
        "TARGET_DELTAS": deltas,
        "MEASURE": measure,
        "GRANULARITY": granularity,
        "SEEDS": "13 42",
        "MAX_EXAMPLES": "3",
        "TUNED": str(tuned),
        "AFTER": str(tuned / "metrics.json"),
        "BEFORE": str(tuned / "metrics.json"),
        "RESULT": str(tmp_path / "result.tsv"),
        "HIGHER": "false",
        "NAMES": "web_questions boolq",
    }.items():
        monkeypatch.setenv(variable, value)
    config = CONFIGS / "weight_ensembling" / "similarity.jsonnet"
    result = allennlp("similarity", config, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz")
    assert matrix.targets == matrix.sources == ["boolq", "web_questions"]
    assert matrix.scores.shape == shape and np.isfinite(matrix.scores).all()


@pytest.mark.parametrize(
    "measure, stage, variable",
    [("retrieval_overlap", "retrieve", "RETRIEVED"), ("kernel_alignment", "embed", "VECTORS")],
)
def test_similarity_of_what_other_commands_wrote(
    measure: str,
    stage: str,
    variable: str,
    environment: Dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    for name in ("one", "other"):
        result = allennlp(stage, CONFIGS / "deft" / f"{stage}.jsonnet", "-s", tmp_path / "folders" / name)
        assert result.status == 0, result.stderr
    monkeypatch.setenv(variable, str(tmp_path / "folders" / "*"))
    monkeypatch.setenv("MEASURE", measure)
    monkeypatch.delenv("TARGETS")
    result = allennlp("similarity", CONFIGS / "weight_ensembling" / "similarity.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz")
    assert matrix.targets == matrix.sources == ["one", "other"]
    np.testing.assert_allclose(matrix.scores, 1)
