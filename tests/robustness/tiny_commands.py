"""Every command on tiny inputs: what it reads, written into a folder, and its command line, to be run there."""

import json
import pickle
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM

from attribution.common.manifest import write_manifest
from attribution.data.agent_split import AgentSplitter
from attribution.data.image_rows import ImageRows
from attribution.encoders.vectors import Shard, write_shard
from attribution.similarity import SimilarityMatrix
from tests.conftest import build_model
from tests.encoders.conftest import build_resnet
from tests.ensembling.conftest import LORA, lora_tensors, write_delta_folder
from tests.importers.published_deltas import save
from tests.importers.published_deltas import tensors as published_tensors
from tests.importers.published_mixtures import Mixture
from tests.mining.conftest import mixture
from tests.reports.conftest import write_sweep
from tests.rerankers import conftest as _rerankers  # noqa: F401  registers the reranker "tests_nearness"
from tests.retrievers.conftest import NumberEncoder
from tests.robustness.bad_files import GOOD

NUMBERS = [
    {"input": f"number {n}", "target": f"t{n}", "task": "low" if n < 10 else "high", "template": "p", "id": f"i{n}"}
    for n in range(20)
]
READER = {"type": "prompted_reader", "model_name": "unused", "template": "{{input}}", "options": ["x"]}
TASKS = ["boolq", "copa", "rte"]
GYM = {"boolq": ["was it ?\tyes", "a film ?\tno"], "rte": ["the cat ?\tyes", "a bad film ?\tno"]}
MIXTURE = {
    "type": "task_moe_seq2seq",
    "task": "boolq",
    "experts": {"type": "feed_forward", "count": 2},
    "router": {"type": "linear", "hidden_size": 4},
    "task_vectors": {"type": "learned", "tasks": list(GYM), "size": 4},
}


class Models:
    """Folders of tiny models, that no command writes to: outside of what is started over and over again."""

    def __init__(self, folder: Path) -> None:
        self.t5 = str(build_model("t5", folder / "t5"))
        self.bart = str(build_model("bart", folder / "bart"))
        self.bert = str(build_model("bert", folder / "bert"))
        self.resnet = str(build_resnet(folder / "resnet"))


def _config(folder: Path, settings: Any, name: str = "config.json") -> str:
    (folder / name).write_text(json.dumps(settings))
    return name


def _lines(folder: Path, name: str, rows: List[Any]) -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def write_gym(folder: Path) -> str:
    for task, lines in GYM.items():
        (folder / "gym" / task).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            path = folder / "gym" / task / f"{task}_2_13_{split}.tsv"
            path.write_text("".join(f"{line}\n" for line in lines))
    return "gym"


def training(name: str, **changes: Any) -> Dict[str, Any]:
    """A configuration that trains on eight rows for two epochs, and writes a delta."""
    return {
        "dataset_reader": {"type": "p3_jsonl", "model_name": name},
        "train_data_path": "rows.jsonl",
        "validation_data_path": "rows.jsonl",
        "vocabulary": {"type": "empty"},
        "model": {"type": "seq2seq", "model_name": name, "delta": {"type": "lora", "r": 2}},
        "data_loader": {"batch_size": 4, "shuffle": True},
        "trainer": {
            "num_epochs": 2,
            "optimizer": {"type": "adam", "lr": 0.01},
            "cuda_device": -1,
            "enable_default_callbacks": False,
            "callbacks": ["save_delta"],
        },
        **changes,
    }


def mixture_training(model: str) -> Dict[str, Any]:
    """Of task-level experts, whose routes are saved."""
    reader = {"type": "fewshot_gym", "model_name": model, "seeds": [13]}
    data = {"dataset_reader": reader, "validation_dataset_reader": reader}
    paths = {"train_data_path": "gym", "validation_data_path": "gym"}
    settings = training(model, model={**MIXTURE, "model_name": model}, **data, **paths)
    settings["trainer"].update(num_epochs=1, callbacks=[{"type": "save_routes", "temperature": 1.0}])
    return settings


def train_a_mixture(folder: Path, models: Models) -> List[str]:
    write_gym(folder)
    return ["train", _config(folder, mixture_training(models.t5), "mixture.json"), "-s", "mixture_run"]


def build_pool(folder: Path, models: Models) -> List[str]:
    sources = [{"type": "rows", "path": _lines(folder, "source.jsonl", NUMBERS)}]
    return ["build-pool", _config(folder, {"sources": sources})]


def divide(folder: Path, models: Models) -> List[str]:
    train = {"type": "rows", "path": _lines(folder, "source.jsonl", NUMBERS)}
    return ["divide", _config(folder, {"train": train, "size": 4, "shots": [2, 4], "rounds": 2})]


def build_gym(folder: Path, models: Models) -> List[str]:
    choices = ["yes", "no"]
    given = [{"input": f"row {n} ?", "target": choices[n % 2], "answer_choices": choices} for n in range(20)]
    task = {
        "reader": {"type": "p3_jsonl"},
        "train_data_path": _lines(folder, "train.jsonl", given[:16]),
        "test_data_path": _lines(folder, "test.jsonl", given[16:]),
        "shots": 2,
        "per_class": True,
    }
    return ["build-gym", _config(folder, {"tasks": {"nli": task}, "seeds": [13, 42]})]


def embed(folder: Path, models: Models) -> List[str]:
    settings = {"pool": {"path": _lines(folder, "pool.jsonl", NUMBERS)}, "encoder": "tests_number", "shard_rows": 8}
    return ["embed", _config(folder, settings)]


def embed_words(folder: Path, models: Models) -> List[str]:
    (folder / "text.txt").write_text("the cat sat\non the mat\ngood movie\n")
    settings = {
        "words": {"path": "text.txt", "reader": {"type": "probe_text", "min_words": 1}},
        "encoder": {"type": "transformer", "model_name": models.bert, "max_length": 10, "pooling": "last"},
        "shard_rows": 4,
    }
    return ["embed", _config(folder, settings)]


def embed_images(folder: Path, models: Models) -> List[str]:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=[0, 0, 1, 1, 1])
    settings = {
        "images": {"path": "images.npz"},
        "encoder": {"model_name": models.resnet},
        "shard_rows": 2,
    }
    return ["embed", _config(folder, settings)]


def embed_tasks(folder: Path, models: Models) -> List[str]:
    embedder = {"type": "text", "encoder": {"type": "transformer", "model_name": models.bart}}
    reader = {"type": "fewshot_gym", "model_name": models.bart, "split": "train"}
    return ["embed-tasks", _config(folder, {"tasks": write_gym(folder), "embedder": embedder, "reader": reader})]


def _retrieval(folder: Path) -> Dict[str, Any]:
    return {
        "pool": {"path": _lines(folder, "pool.jsonl", NUMBERS)},
        "queries": {"path": _lines(folder, "queries.jsonl", NUMBERS[3:6]), "reader": READER},
        "retriever": {"type": "exact", "encoder": "tests_number"},
        "neighbours": 2,
        "aggregator": {"type": "frequency", "size": 4},
    }


def retrieve(folder: Path, models: Models) -> List[str]:
    return ["retrieve", _config(folder, _retrieval(folder))]


def retrieve_bm25(folder: Path, models: Models) -> List[str]:
    return ["retrieve", _config(folder, {**_retrieval(folder), "retriever": {"type": "bm25", "index": "index"}})]


def retrieve_faiss(folder: Path, models: Models) -> List[str]:
    retriever = {"type": "faiss", "encoder": "tests_number", "index": "index"}
    return ["retrieve", _config(folder, {**_retrieval(folder), "retriever": retriever})]


def pool_rows(folder: Path, models: Models) -> List[str]:
    (folder / "ids.txt").write_text("7\n3\n7\n")
    return ["pool-rows", "--pool", _lines(folder, "pool.jsonl", NUMBERS), "--ids", "ids.txt"]


def queries(folder: Path, models: Models) -> List[str]:
    return ["queries", _config(folder, {**_retrieval(folder), "retriever": {"type": "random"}})]


def rerank(folder: Path, models: Models) -> List[str]:
    return ["rerank", _config(folder, {"retrieved": "retrieved", "reranker": {"type": "tests_nearness", "size": 3}})]


def ensemble(folder: Path, models: Models) -> List[str]:
    for number, task in enumerate(TASKS):
        write_delta_folder(folder / "runs" / task / "delta", lora_tensors(number), **LORA)
    _similarity_matrix(folder)
    settings = {
        "deltas": "runs/*/delta",
        "similarity": "kernel.npz",
        "weighting": {"type": "softmax", "temperature": 1.0},
    }
    return ["ensemble", _config(folder, settings)]


def _similarity_matrix(folder: Path) -> None:
    scores = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 3.0], [2.0, 1.0, 9.0]])
    SimilarityMatrix(TASKS, TASKS, scores, False, "model").save(folder / "kernel.npz")


def similarity(folder: Path, models: Models) -> List[str]:
    for task in GYM:
        lora = {**LORA, "base_model_name_or_path": models.t5, "target_modules": ["SelfAttention.q"]}
        write_delta_folder(folder / "runs" / task / "delta", lora_tensors(1, out=16, inner=16), **lora)
    settings = {
        "measure": {"type": "loss"},
        "sources": "runs/*/delta",
        "targets": write_gym(folder),
        "reader": {"type": "fewshot_gym", "model_name": models.t5, "split": "dev", "input_prefix": ""},
        "model": {"type": "seq2seq", "model_name": models.t5},
        "batch_size": 3,
    }
    return ["similarity", _config(folder, settings)]


def select(folder: Path, models: Models) -> List[str]:
    np.save(folder / "kappa.npy", np.eye(3) * 0.5 + 0.5)
    (folder / "names.txt").write_text("bert\ngpt2\nt5\n")
    settings = {"covariance": "kappa.npy", "names": "names.txt", "selector": {"type": "mmi"}, "k": 2}
    return ["select", _config(folder, settings)]


def novelty(folder: Path, models: Models) -> List[str]:
    settings = {"rows": {"path": _lines(folder, "rows.jsonl", NUMBERS)}, "encoder": "tests_number", "batch": 8}
    return ["novelty", _config(folder, {**settings, "separate_files": True})]


def report(folder: Path, models: Models) -> List[str]:
    write_sweep(folder / "sweep")
    _similarity_matrix(folder)
    return ["report", "sweep", "kernel.npz"]


def mine_tuples(folder: Path, models: Models) -> List[str]:
    miner = {
        "type": "loss",
        "model": {"type": "seq2seq", "model_name": models.t5},
        "retriever": {"type": "random"},
        "query_tasks": ["queries"],
        "size": 1,
        "queries": 3,
        "held_out": 8,
        "neighbours": 20,
        "candidates": 24,
        "group_size": 3,
        "rounds": 2,
        "positives": 3,
        "negatives": 5,
    }
    pool = {"path": _lines(folder, "mixture.jsonl", mixture())}
    return ["mine-tuples", _config(folder, {"pool": pool, "miner": miner, "dev_share": 0.0})]


def compare_covariances(folder: Path, models: Models) -> List[str]:
    for size, near in (("30", 0.9), ("1000", 0.5)):
        (folder / "sizes" / size).mkdir(parents=True)
        values = np.array([[1, near, 0.1], [near, 1, 0.2], [0.1, 0.2, 1]])
        SimilarityMatrix(TASKS, TASKS, values, True, "model").save(folder / "sizes" / size / "similarity.npz")
    settings = {"covariance": "sizes/1000/similarity.npz", "others": "sizes/*"}
    return ["compare-covariances", _config(folder, settings)]


def compare_agents(folder: Path, models: Models) -> List[str]:
    labels = np.arange(60) % 6
    pixels = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=labels)
    few = {"agents": 3, "agent_classes": 2, "tasks": 2, "task_classes": 2, "probe": 2, "shots": 2, "test": 2}
    rows = ImageRows(str(folder / "images.npz"), split=AgentSplitter(**few), part="tasks")
    names = [f"agent{number:03d}" for number in range(3)]
    for number, name in enumerate(names):
        values = np.random.default_rng(number).normal(size=(len(rows), 4)).astype(np.float32)
        (folder / "tasks" / name).mkdir(parents=True)
        write_shard(folder / "tasks" / name, Shard(0, len(rows)), values)
        identity = {"pool": rows.identity, "rows": len(rows), "shard_rows": len(rows)}
        write_manifest(folder / "tasks" / name, "embed", [], {}, identity)
    kappa = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]])
    SimilarityMatrix(names, names, kappa, True, "model").save(folder / "agents.npz")
    settings = {"images": "images.npz", "split": few, "features": "tasks/*", "covariance": "agents.npz"}
    return ["compare-agents", _config(folder, {**settings, "k": 2, "random_sets": 2, "head": {"epochs": 2}})]


def squeeze(folder: Path, models: Models) -> List[str]:
    return ["squeeze", "mixture_run", "--task", "boolq"]


def routes(folder: Path, models: Models) -> List[str]:
    return ["routes", "mixture_run", "--temperature", "1"]


def disable_experts(folder: Path, models: Models) -> List[str]:
    settings = {
        "archive": "mixture_run/model.tar.gz",
        "input": "gym",
        "metric": "loss",
        "overrides": {"validation_dataset_reader.split": "test"},
    }
    return ["disable-experts", _config(folder, settings)]


def import_delta(folder: Path, models: Models) -> List[str]:
    save("lora", folder / "checkpoint-best.pt", published_tensors("lora", models.t5))
    return ["import-artefact", "delta_checkpoint", "checkpoint-best.pt", "--model-name", models.t5]


def import_mixture(folder: Path, models: Models) -> List[str]:
    Mixture(models.bart).save(folder / "best")
    return ["import-artefact", "task_moe", "best", "--model-name", models.bart]


def import_weights(folder: Path, models: Models) -> List[str]:
    state = AutoModelForSeq2SeqLM.from_pretrained(models.t5).state_dict()
    vector = {"encoder.block.0.layer.0.SelfAttention.k.ia3_vector": torch.full((16, 1), 2.0)}
    torch.save({f"transformer.{name}": tensor for name, tensor in {**state, **vector}.items()}, folder / "best.th")
    return ["import-artefact", "deft_weights", "best.th", "--model-name", models.t5]


def import_memory(folder: Path, models: Models) -> List[str]:
    examples = {f"t|train|p|#{n}": [f"number {n}", ["yes"], f"t|train|p|#{n}"] for n in range(6)}
    vectors = NumberEncoder().encode([triple[0] for triple in examples.values()])
    memory = {"memory_index": vectors, "memory_examples": examples, "memory_example_ids": list(examples)}
    (folder / "memory.pkl").write_bytes(pickle.dumps(memory))
    encoder = json.dumps({"importer.encoder": "tests_number"})
    return ["import-artefact", "recross_memory", "memory.pkl", "--allow-pickle", "-o", encoder]


def sweep(folder: Path, models: Models) -> List[str]:
    settings = training(models.t5)
    settings["train_data_path"] = settings["validation_data_path"] = str(folder / _lines(folder, "rows.jsonl", GOOD))
    settings["trainer"]["num_epochs"] = 1
    text = json.dumps(settings)
    (folder / "train.jsonnet").write_text(f"{text} + {{random_seed: std.parseInt(std.extVar('SEED'))}}")
    grid = {
        "axes": {"SEED": [1]},
        "steps": {
            "model": {"command": "train", "config": str(folder / "train.jsonnet")},
            "test": {
                "command": "evaluate",
                "archive": "{model}/model.tar.gz",
                "input": str(folder / "rows.jsonl"),
            },
        },
        "repeat": ["SEED"],
        "metrics": ["test.accuracy"],
    }
    return ["sweep", _config(folder, grid)]


COMMANDS: Dict[str, Callable[[Path, Models], List[str]]] = {
    "build-pool": build_pool,
    "divide": divide,
    "build-gym": build_gym,
    "embed": embed,
    "embed words": embed_words,
    "embed images": embed_images,
    "embed-tasks": embed_tasks,
    "retrieve": retrieve,
    "retrieve bm25": retrieve_bm25,
    "retrieve faiss": retrieve_faiss,
    "pool-rows": pool_rows,
    "queries": queries,
    "rerank": rerank,
    "ensemble": ensemble,
    "similarity": similarity,
    "select": select,
    "novelty": novelty,
    "report": report,
    "mine-tuples": mine_tuples,
    "compare-covariances": compare_covariances,
    "compare-agents": compare_agents,
    "squeeze": squeeze,
    "routes": routes,
    "disable-experts": disable_experts,
    "import-artefact delta": import_delta,
    "import-artefact mixture": import_mixture,
    "import-artefact weights": import_weights,
    "import-artefact memory": import_memory,
}
"""Those that write a directory that appears whole; `-s` is left to who runs them."""

BEFORE: Dict[str, Callable[[Path, Models], List[str]]] = {
    "rerank": lambda folder, models: [*retrieve(folder, models), "-s", "retrieved"],
    **dict.fromkeys(("squeeze", "routes", "disable-experts"), train_a_mixture),
}
"""What makes a directory that such a command reads."""
