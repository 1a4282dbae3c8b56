"""Memories of ReCross's own code, as a pool and vectors that a retrieval uses."""

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List

import faiss
import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from tests.robustness.tiny_commands import READER

TRIPLES = [
    [f"the film {n} was this ? {'cat' * (n % 3)}", ["yes", "no"][: 1 + n % 2], f"task{n % 2}|train|p|#{n}"]
    for n in range(20)
]


@torch.no_grad()
def encoded(folder: str, texts: List[str]) -> np.ndarray:
    """One text at a time: `<s> ` before it, and the mean over all tokens of the encoder's states."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        ids = torch.tensor([tokenizer(f"<s> {text}").input_ids])
        assert ids[0, :2].tolist() == [1, 1]
        rows.append(model.get_encoder()(input_ids=ids).last_hidden_state[0].mean(0).numpy())
    return np.stack(rows)


def memory(triples: List[Any], vectors: np.ndarray, merged: bool) -> Dict[str, Any]:
    index: Any = vectors
    if merged:
        index = faiss.IndexFlatL2(vectors.shape[1])
        index.add(vectors)
    return {
        "dim_memory": vectors.shape[1],
        "memory_index": index,
        "memory_examples": {triple[2]: triple for triple in reversed(triples)},
        "memory_example_ids": [triple[2] for triple in triples],
    }


def _write(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def vectors(tiny_model: Any) -> np.ndarray:
    return encoded(tiny_model("bart"), [triple[0] for triple in TRIPLES])


@pytest.mark.parametrize("merged", [True, False])
def test_a_pool_and_its_vectors(
    merged: bool, vectors: np.ndarray, tiny_model: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path
) -> None:
    base = tiny_model("bart")
    path = tmp_path / "bart0_memory.pkl"
    if merged:
        _write(path, memory(TRIPLES, vectors, True))
    else:
        for number, part in enumerate((slice(0, 7), slice(7, 14), slice(14, 20))):
            _write(tmp_path / f"{path.name}.{number}_of_3", memory(TRIPLES[part], vectors[part], False))
    command = ["import-artefact", "recross_memory", path, "--allow-pickle", "--model-name", base]
    result = allennlp(*command, "-s", tmp_path / "memory")
    assert result.status == 0 and "20 rows, and their vectors of 16 numbers" in result.stdout, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "memory" / "pool.jsonl").read_text().splitlines()]
    assert [[row["input"], row["references"], row["id"]] for row in rows] == TRIPLES
    assert rows[3]["task"] == "task1" and rows[3]["target"] == "yes"
    retriever = {
        "type": "exact",
        "metric": "l2",
        "encoder": {"type": "transformer", "model_name": base, "extra_bos": True},
        "vectors": str(tmp_path / "memory" / "vectors"),
    }
    queries = ["the film 3 was this ? good", "this ?"]
    settings = {
        "pool": {"path": str(tmp_path / "memory" / "pool.jsonl")},
        "queries": {"path": write_jsonl("queries.jsonl", [{"input": text} for text in queries]), "reader": READER},
        "retriever": retriever,
        "neighbours": 3,
    }
    (tmp_path / "retrieve.json").write_text(json.dumps(settings))
    result = allennlp("retrieve", tmp_path / "retrieve.json", "-s", tmp_path / "rows")
    assert result.status == 0, result.stderr
    found = [json.loads(line)["index_id"] for line in (tmp_path / "rows" / "retrieved.jsonl").read_text().splitlines()]
    distances = ((encoded(base, queries)[:, None] - vectors) ** 2).sum(-1)
    assert found == sorted({int(row) for row in np.argsort(distances, axis=1, kind="stable")[:, :3].flatten()})


def test_a_random_memory(allennlp: Any, tmp_path: Path) -> None:
    path = _write(tmp_path / "random.pkl", {"memory_examples": {triple[2]: tuple(triple) for triple in TRIPLES}})
    result = allennlp("import-artefact", "recross_memory", path, "--allow-pickle", "-s", tmp_path / "memory")
    assert result.status == 0 and "pool.jsonl, 20 rows, without vectors" in result.stdout, result.stderr
    assert len((tmp_path / "memory" / "pool.jsonl").read_text().splitlines()) == 20
    assert not (tmp_path / "memory" / "vectors").exists()


def test_what_is_none(vectors: np.ndarray, tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    good = memory(TRIPLES, vectors, True)
    both = ["--allow-pickle", "--model-name", tiny_model("bart")]
    short = memory(TRIPLES, vectors[:, :8].copy(), True)
    bad_id = {**good, "memory_examples": {**good["memory_examples"], TRIPLES[0][2]: ["a", ["b"], "task|train|#3"]}}
    cases: Any = [
        (good, [], "a memory is a pickle, which could execute code; `allow_pickle`"),
        (good, ["--allow-pickle"], "has vectors of 16 numbers; say which BART made them"),
        (good, ["--allow-pickle", "--model-name", tiny_model("t5")], "the vectors are not this encoder's: that of row"),
        (short, both, "has vectors of 8 numbers; the encoder's have 16"),
        ([1, 2], both, "not a memory of ReCross's, a dictionary with `memory_examples`; it has a list"),
        ({"a": 1}, both, "it has the keys ['a']"),
        ({**good, "memory_example_ids": ["x"]}, both, "has 'x', which is no example"),
        ({**good, "memory_example_ids": 3}, both, "its `memory_example_ids` is no list"),
        ({**good, "memory_index": "x"}, both, "memory_index: a str; a flat index"),
        ({**good, "memory_index": vectors[:3]}, both, "has 3 vectors and 20 `memory_example_ids`"),
        (bad_id, both, "example 1: the id is not `dataset|split|template|#number`"),
        ({"memory_examples": good["memory_examples"]}, both, "has no vectors; leave the encoder out"),
        (Path, both, "it asks for pathlib"),
    ]
    for content, arguments, message in cases:
        path = _write(tmp_path / "memory.pkl", content)
        result = allennlp("import-artefact", "recross_memory", path, *arguments, "-s", tmp_path / "out")
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert "memory.pkl" in result.stderr and not (tmp_path / "out").exists()
    (tmp_path / "memory.pkl").rename(tmp_path / "other.pkl.1_of_3")
    command = [
        "import-artefact",
        "recross_memory",
        tmp_path / "other.pkl",
        *both,
        "-s",
        tmp_path / "out",
    ]
    assert "its shards are not all there, or of several numbers: there is no 0_of_3" in allennlp(*command).stderr
    (tmp_path / "text.pkl").write_text("no pickle")
    command[2] = tmp_path / "text.pkl"
    assert "text.pkl: no pickle, or a damaged one" in allennlp(*command).stderr
