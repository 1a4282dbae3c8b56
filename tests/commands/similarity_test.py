"""Deltas tuned on toy tasks: each is the closest to its own. And what is measured without a model."""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from allennlp.common import Params
from safetensors.torch import load_file, save_file

from attribution.commands.similarity import Similarity
from attribution.common.engines import RayEngine
from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.fields import pad_token_ids
from attribution.similarity import GraNd, Loss, SimilarityMatrix
from tests.models.conftest import make_model

# Task -> its right word: each tuned delta has learned to say it.
ANSWERS = {"colours": "red", "films": "good", "numbers": "seven"}
PROMPTS = ["the cat sat", "a film was it ?", "this", "one two three four five six"]
LORA = {"type": "lora", "r": 2}


def _tune(base: str, word: str, folder: Path, kind: str, delta: Any) -> None:
    torch.manual_seed(1)
    model = make_model(base, type=kind, delta=dict(delta)).eval()
    tokenizer = P3JsonlReader(base).tokenizer
    prompts = pad_token_ids(tokenizer.prompts([f"{prompt} ?" for prompt in PROMPTS], 64), 0)
    answers = pad_token_ids(tokenizer.options([word] * len(PROMPTS), 64), 0)
    optimizer = torch.optim.Adam(model.delta.tensors(model.transformer).values(), lr=0.03)
    for _ in range(30):
        loss = F.cross_entropy(model.target_logits(prompts, answers), answers["token_ids"][answers["mask"]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.delta.save(model.transformer, folder, base)


@pytest.fixture(scope="session")
def tuned(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(architecture, method) -> the folder of the tasks' deltas, tuned once a session."""
    built: Dict[str, Path] = {}

    def get(model: str, delta: Any) -> Path:
        key = f"{model}_{delta['type']}"
        if key not in built:
            built[key] = tmp_path_factory.mktemp(key)
            for task, word in ANSWERS.items():
                kind = "causal_lm" if model == "llama" else "seq2seq"
                _tune(tiny_model(model), word, built[key] / task / "delta", kind, delta)
        return built[key]

    return get


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    """The first lines have several right answers: in the reference all labels after them are another line's."""
    for task, word in ANSWERS.items():
        (tmp_path / "gym" / task).mkdir(parents=True)
        lines = [
            "\t".join([f"{prompt} ?", word, *(["maybe", "not"] if number < 2 else [])])
            for number, prompt in enumerate(PROMPTS * 2)
        ]
        (tmp_path / "gym" / task / f"{task}_8_13_dev.tsv").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "gym"


@pytest.fixture
def config(
    gym: Path, tuned: Callable[..., Path], tiny_model: Callable[[str], str], tmp_path: Path
) -> Callable[..., str]:
    def make(architecture: str = "t5", delta: Any = None, **changes: Any) -> str:
        deltas = tmp_path / "runs"
        if not deltas.exists():
            shutil.copytree(tuned(architecture, delta or LORA), deltas)
        reader = {"type": "fewshot_gym", "model_name": tiny_model(architecture), "split": "dev", "input_prefix": ""}
        settings: Dict[str, Any] = {
            "measure": {"type": "loss"},
            "sources": str(deltas / "*" / "delta"),
            "targets": str(gym),
            "reader": reader,
            "model": {
                "type": "causal_lm" if architecture == "llama" else "seq2seq",
                "model_name": tiny_model(architecture),
            },
            "batch_size": 3,
            "heat_map": False,
        }
        path = tmp_path / "similarity.jsonnet"
        settings = {key: value for key, value in {**settings, **changes}.items() if value is not None}
        path.write_text(json.dumps(settings))
        return str(path)

    return make


@pytest.fixture
def measured(config: Any, allennlp: Any, tmp_path: Path) -> Callable[..., SimilarityMatrix]:
    def run(**changes: Any) -> SimilarityMatrix:
        result = allennlp("similarity", config(**changes), "-s", tmp_path / "out", "--force")
        assert result.status == 0, result.stderr
        return SimilarityMatrix.load(tmp_path / "out" / "similarity.npz")

    return run


@pytest.fixture
def fails(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., None]:
    def check(*messages: str, **changes: Any) -> None:
        result = allennlp("similarity", config(**changes), "-s", tmp_path / "out")
        assert result.status == 1 and "Traceback" not in result.stderr, result.stderr
        *_, last = result.stderr.rsplit("error: ", 1)
        for message in messages:
            assert message in last, last
        assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))

    return check


@pytest.mark.parametrize("model", ["t5", "llama"])
@pytest.mark.parametrize("delta", [LORA, {"type": "ia3"}, {"type": "houlsby", "size": 4}], ids=lambda d: d["type"])
def test_the_targets_own_delta_is_closest(model: str, delta: Any, measured: Any) -> None:
    matrix = measured(architecture=model, delta=delta)
    assert matrix.targets == matrix.sources == list(ANSWERS)
    assert (matrix.higher_is_better, matrix.granularity, matrix.scores.shape) == (False, "model", (3, 3))
    assert matrix.scores.argmin(1).tolist() == [0, 1, 2]


def test_the_batches_of_grand_are_its_own(measured: Any) -> None:
    scores = measured(measure={"type": "grand"}).scores
    np.testing.assert_array_equal(measured(measure={"type": "grand"}, batch_size=1).scores, scores)
    assert (measured(measure={"type": "grand", "batch_size": 4}).scores != scores).all()


@pytest.mark.parametrize(
    "name",
    ["kl", "el2n", "logit_label_cosine", "grand", "grand_per_example", "parameter_cosine", "hidden_cosine"],
)
def test_by_every_measure(name: str, measured: Any, tmp_path: Path) -> None:
    own = {"target_deltas": str(tmp_path / "runs" / "*" / "delta")}
    needs = own if name in ("kl", "parameter_cosine", "hidden_cosine") else {}
    settings: Dict[str, Any] = {"hidden_cosine": {"granularity": "model"}, "grand": {"dropout": False}}
    matrix = measured(measure={"type": name, **settings.get(name, {})}, **needs)
    best = matrix.scores.argmax(1) if matrix.higher_is_better else matrix.scores.argmin(1)
    assert best.tolist() == [0, 1, 2]


def test_labels_are_those_of_their_own_line(measured: Any, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    matrix = measured()
    base = tiny_model("t5")
    model = make_model(base, delta={**LORA, "weights": str(tmp_path / "runs" / "films" / "delta")}).eval()
    tokenizer = P3JsonlReader(base).tokenizer
    losses: List[float] = []
    for prompt in PROMPTS * 2:
        texts = tokenizer.prompts([f"{prompt} ?"], 64), tokenizer.options([ANSWERS["colours"]], 64)
        prompts, answers = (pad_token_ids(text, 0) for text in texts)
        with torch.no_grad():
            logits = model.target_logits(prompts, answers)
        losses += F.cross_entropy(logits, answers["token_ids"][0], reduction="none").tolist()
    assert matrix.scores[0, 1] == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_first_examples_only(measured: Any, gym: Path) -> None:
    """The reference takes the first batch, so that its batch size decides."""
    first = measured(max_examples=2).scores
    for path in gym.glob("*/*.tsv"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    np.testing.assert_allclose(measured().scores, first, rtol=1e-6)
    np.testing.assert_allclose(measured(batch_size=1).scores, first, rtol=1e-5)


def test_targets_by_name_from_any_reader(
    measured: Any, write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    rows = [{"input": f"{prompt} ?", "target": "red", "answer_choices": ["good", "red"]} for prompt in PROMPTS]
    matrix = measured(
        targets={"new": write_jsonl("new.jsonl", rows)}, reader={"type": "p3_jsonl", "model_name": tiny_model("t5")}
    )
    assert (matrix.targets, matrix.scores.shape) == (["new"], (1, 3))
    np.testing.assert_allclose(matrix.scores[0], measured().scores[0], rtol=1e-5)


def test_parts_and_pictures(measured: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    matrix = measured(measure={"type": "grand", "granularity": "block"}, target_names=["films"], heat_map=True)
    blocks = [f"{stack}.block.{number}" for stack in ("encoder", "decoder") for number in (0, 1)]
    assert (matrix.parts, matrix.scores.shape) == (blocks, (1, 3, 4))
    assert (tmp_path / "out" / "similarity.png").read_bytes().startswith(b"\x89PNG")
    assert all(f">{task}<" in (tmp_path / "out" / "similarity.svg").read_text() for task in ANSWERS)


def test_ensemble_takes_it(measured: Any, allennlp: Any, tmp_path: Path) -> None:
    matrix = measured()
    settings = {
        "deltas": str(tmp_path / "runs" / "*" / "delta"),
        "similarity": str(tmp_path / "out" / "similarity.npz"),
        "weighting": {"type": "top_k", "k": 1},
    }
    (tmp_path / "ensemble.json").write_text(json.dumps(settings))
    result = allennlp("ensemble", tmp_path / "ensemble.json", "-s", tmp_path / "merged")
    assert result.status == 0, result.stderr
    np.fill_diagonal(matrix.scores, np.inf)
    source = matrix.sources[matrix.scores[0].argmin()]
    name = "adapter_model.safetensors"
    merged, chosen = (
        load_file(folder / name) for folder in (tmp_path / "merged" / "colours", tmp_path / "runs" / source / "delta")
    )
    torch.testing.assert_close(merged, chosen)


@pytest.fixture
def sweep(config: Callable[..., str], tmp_path: Path) -> Path:
    """What a sweep over targets and sources leaves: as tuned on a target, each source is the target's own delta."""
    config()
    for target in ANSWERS:
        for number, source in enumerate(ANSWERS):
            folder = tmp_path / "sweep" / "tuned" / f"TARGET={target},SOURCE={source}"
            shutil.copytree(tmp_path / "runs" / target / "delta", folder)
            (folder / "metrics.json").write_text(json.dumps({"best_validation_accuracy": 0.5 + number / 8}))
            before = tmp_path / "sweep" / "before" / f"TARGET={target},SOURCE={source}"
            before.mkdir(parents=True)
            (before / "metrics.json").write_text(json.dumps({"accuracy": 0.5 - (source == target) / 2}))
    return tmp_path / "sweep"


WITHOUT_A_MODEL = {"targets": None, "reader": None, "model": None}


def test_what_tuning_each_source_on_each_target_tells(measured: Any, fails: Any, sweep: Path) -> None:
    """The sources are the targets, unless others are named."""
    tuned = str(sweep / "tuned" / "TARGET={target},SOURCE={source}")
    before = str(sweep / "before" / "TARGET={target},SOURCE={source}" / "metrics.json")
    euclidean = measured(measure={"type": "euclidean", "tuned": tuned}, **WITHOUT_A_MODEL)
    assert euclidean.targets == euclidean.sources == list(ANSWERS) and not euclidean.higher_is_better
    assert (euclidean.scores == 0).tolist() == np.eye(3, dtype=bool).tolist()
    performance = {"type": "performance", "after": f"{tuned}/metrics.json", "before": before}
    matrix = measured(measure=performance, **WITHOUT_A_MODEL)
    np.testing.assert_allclose(matrix.scores, [0, 0.125, 0.25] + np.eye(3) / 2)
    chosen = measured(measure=performance, target_names=["numbers"], **WITHOUT_A_MODEL)
    np.testing.assert_array_equal(chosen.scores, matrix.scores[2:])
    shutil.rmtree(sweep.parent / "out")
    fails("a loss less is better", measure={**performance, "metric": "loss"}, **WITHOUT_A_MODEL)
    fails("has no best_validation_f1 and no f1", measure={**performance, "metric": "f1"}, **WITHOUT_A_MODEL)
    missing = "TARGET=films,SOURCE=colours"
    shutil.rmtree(sweep / "tuned" / missing)
    for measure, setting in (({"type": "euclidean", "tuned": tuned}, "tuned"), (performance, "after")):
        message = (
            f"measure.{setting}: of the target 'films' and the source 'colours' there is no {sweep}/tuned/{missing}/"
        )
        fails(message, "run the sweep to its end", measure=measure, **WITHOUT_A_MODEL)


def test_tasks_that_share_retrieved_rows(
    measured: Any, fails: Any, allennlp: Any, write_jsonl: Callable[..., str], tmp_path: Path
) -> None:
    pool = write_jsonl("pool.jsonl", [{"input": f"{prompt} ?", "target": "yes"} for prompt in PROMPTS * 2])
    queries = write_jsonl("queries.jsonl", [{"input": "the cat ?"}])
    for name, seed in (("one", 1), ("other", 2)):
        retrieval = {
            "pool": {"path": pool},
            "queries": {"path": queries, "reader": {"type": "p3_jsonl"}},
            "retriever": {"type": "random", "seed": seed},
            "aggregator": {"type": "frequency", "size": 6},
        }
        (tmp_path / "retrieve.json").write_text(json.dumps(retrieval))
        result = allennlp("retrieve", tmp_path / "retrieve.json", "-s", tmp_path / "rows" / name)
        assert result.status == 0, result.stderr
    rows = str(tmp_path / "rows" / "*")
    without = {**WITHOUT_A_MODEL, "sources": rows, "targets": rows}
    one, other = (
        {json.loads(line)["index_id"] for line in (tmp_path / "rows" / name / "retrieved.jsonl").open()}
        for name in ("one", "other")
    )
    wanted = len(one & other) / len(one | other)
    matrix = measured(measure="retrieval_overlap", **without)
    assert matrix.targets == matrix.sources == ["one", "other"] and 0 < wanted < 1
    np.testing.assert_allclose(matrix.scores, [[1, wanted], [wanted, 1]])
    shutil.rmtree(tmp_path / "out")
    fails("one: what retrieve wrote; stored vectors are embed's", measure="kernel_alignment", **without)
    fails("targets is missing", measure="retrieval_overlap", **{**without, "targets": None})
    fails("targets: this measure needs a pattern", measure="retrieval_overlap", **{**without, "targets": {"a": rows}})
    fails("has no retrieved.jsonl", measure="retrieval_overlap", **{**without, "sources": str(tmp_path / "ru*")})


def test_encoders_of_the_same_rows(
    measured: Any, allennlp: Any, write_jsonl: Callable[..., str], tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    pool = write_jsonl("pool.jsonl", [{"input": f"{prompt} ?", "target": "yes"} for prompt in PROMPTS * 2])
    for model in ("t5", "bert"):
        embedding = {"pool": {"path": pool}, "encoder": {"type": "transformer", "model_name": tiny_model(model)}}
        (tmp_path / "embed.json").write_text(json.dumps(embedding))
        result = allennlp("embed", tmp_path / "embed.json", "-s", tmp_path / "vectors" / model)
        assert result.status == 0, result.stderr
    vectors = str(tmp_path / "vectors" / "*")
    without = {**WITHOUT_A_MODEL, "sources": vectors, "targets": vectors}
    matrix = measured(measure="kernel_alignment", **without)
    assert matrix.targets == matrix.sources == ["bert", "t5"] and matrix.higher_is_better
    np.testing.assert_allclose(matrix.scores.diagonal(), 1)
    assert matrix.scores[0, 1] == pytest.approx(matrix.scores[1, 0]) and 0 < matrix.scores[0, 1] < 0.999


def test_scores_that_the_published_program_wrote(measured: Any, tmp_path: Path) -> None:
    scores = np.arange(9.0).reshape(3, 3)
    (tmp_path / "result.tsv").write_text("".join(f"{score}\n" for score in scores.flatten()))
    names = ["films", "colours", "numbers"]
    result = {"type": "result_tsv", "path": str(tmp_path / "result.tsv"), "higher_is_better": True, "names": names}
    matrix = measured(measure=result, **WITHOUT_A_MODEL)
    assert matrix.targets == matrix.sources == list(ANSWERS) and matrix.higher_is_better
    np.testing.assert_array_equal(matrix.scores, scores[[1, 0, 2]][:, [1, 0, 2]])


def test_a_bad_row_is_found_before_anything_is_measured(
    config: Any, allennlp: Any, gym: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the last target's; what was measured before it would be lost."""
    compared = []
    compare = Loss.compare
    monkeypatch.setattr(Loss, "compare", lambda *arguments: compared.append(1) or compare(*arguments))
    reader = {"type": "p3_jsonl", "model_name": json.loads(Path(config()).read_text())["model"]["model_name"]}
    targets = {}
    for name, target in (("first", "red"), ("last", None)):
        targets[name] = str(tmp_path / f"{name}.jsonl")
        Path(targets[name]).write_text(json.dumps({"input": "a ?", "target": target}) + "\n")
    path = config(targets=targets, reader=reader)
    result = allennlp("similarity", path, "-s", tmp_path / "out")
    assert result.status == 1 and "the target 'last': " in result.stderr and "last.jsonl" in result.stderr
    assert not compared
    shutil.copy(targets["first"], targets["last"])
    assert allennlp("similarity", path, "-s", tmp_path / "out").status == 0 and len(compared) == 6


def test_a_prompt_that_is_too_long_is_found_before_anything_is_measured(
    config: Any, allennlp: Any, gym: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    compare = Loss.compare
    monkeypatch.setattr(Loss, "compare", lambda *arguments: compared.append(1) or compare(*arguments))
    path = config("bart")
    last = sorted(gym.iterdir())[-1]
    (last / f"{last.name}_8_13_dev.tsv").write_text("a " * 200 + "\tred\n")
    result = allennlp("similarity", path, "-s", tmp_path / "out")
    assert result.status == 1 and not compared
    assert f"the target '{last.name}': model_name " in result.stderr and "Lower max_query_length" in result.stderr


def test_the_same_bytes_again_and_after_a_kill(
    config: Any,
    allennlp: Any,
    run_and_kill: Callable[..., None],
    gym: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in gym.glob("*/*.tsv"):
        path.write_text(path.read_text() * 40)
    path = config(measure={"type": "grand", "batch_size": 16})
    compared = []
    compare = GraNd.compare
    monkeypatch.setattr(GraNd, "compare", lambda *arguments: compared.append(1) or compare(*arguments))
    assert allennlp("similarity", path, "-s", tmp_path / "one").status == 0 and len(compared) == 9
    cells = tmp_path / ".other.part" / "cells.jsonl"
    run_and_kill(
        ["similarity", path, "-s", tmp_path / "other"], lambda: cells.exists() and cells.read_bytes().count(b"\n") > 1
    )
    done = cells.read_text().splitlines()
    assert not (tmp_path / "other").exists() and 2 <= len(done) < 9
    cells.write_text("".join(f"{line}\n" for line in [*done[:2], done[0], "null", "[]"]) + done[0][:20])
    compared.clear()
    result = allennlp("similarity", path, "-s", tmp_path / "other")
    assert result.status == 0 and len(compared) == 7, result.stderr
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "other").iterdir())
    assert files == ["manifest.json", "similarity.npz", "similarity.tsv"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    assert "finished already" in allennlp("similarity", path, "-s", tmp_path / "other").stdout


def test_on_the_workers_of_a_ray_cluster(
    config: Any, measured: Any, ray_engines: Dict[int, RayEngine], tmp_path: Path
) -> None:
    measured(target_names=["colours", "films"])
    params = Params.from_file(config(target_names=["colours", "films"]))
    (tmp_path / "ray").mkdir()
    Similarity.from_params(params).run(tmp_path / "ray", ray_engines[2])
    one, other = (SimilarityMatrix.load(tmp_path / folder / "similarity.npz").scores for folder in ("out", "ray"))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_what_is_no_number_is_told_and_kept(
    config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other scores are not lost; `ensemble` refuses these."""
    path = config()
    weights = tmp_path / "runs" / "films" / "delta" / "adapter_model.safetensors"
    tensors = {name: tensor * 1e30 for name, tensor in load_file(weights).items()}
    config_text = (weights.parent / "adapter_config.json").read_text()
    save_file(tensors, weights)
    (weights.parent / "adapter_config.json").write_text(config_text)
    result = allennlp("similarity", path, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert "9 pairs, lower is closer; 3 are no numbers, the first: films on colours" in result.stdout
    scores = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz").scores
    assert np.isnan(scores).tolist() == [[False, True, False]] * 3


@pytest.mark.parametrize("measure", ["parameter_cosine", "loss"])
def test_deltas_without_tensors_are_refused_and_are_not_in_the_way(
    measure: str, config: Any, fails: Any, allennlp: Any, tmp_path: Path
) -> None:
    own = str(tmp_path / "runs" / "*" / "delta")
    needed: Dict[str, Any] = {
        "parameter_cosine": {"measure": measure, "target_deltas": own, "targets": None, "reader": None, "model": None},
        "loss": {},
    }[measure]
    config()
    there = {}
    for weights in sorted(tmp_path.glob("runs/*/delta/adapter_model.safetensors")):
        there[weights] = weights.read_bytes()
        save_file({}, weights)
    fails("delta", "has no tensors", **needed)
    for weights, content in there.items():
        weights.write_bytes(content)
    result = allennlp("similarity", config(**needed), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr


@pytest.mark.parametrize(
    "changes, messages",
    [
        ({"sources": "/nowhere/*/delta"}, ["sources: no folder matches /nowhere/*/delta"]),
        ({"targets": "/nowhere"}, ["targets: /nowhere is no folder, and no file matches it"]),
        ({"target_names": ["films", "sst"]}, ["target_names: there is no 'sst'; there are colours, films, numbers"]),
        ({"target_names": []}, ["target_names: it is empty"]),
        ({"measure": "kl"}, ["target_deltas is missing: this measure needs it"]),
        ({"measure": "kl", "target_deltas": "/nowhere/*"}, ["target_deltas: no folder matches /nowhere/*"]),
        ({"measure": "cosine"}, ["cosine"]),
        ({"measure": {"type": "loss", "reduction": "max"}}, ["measure.reduction: 'max' is none of mean, sum"]),
        ({"batch_size": 0}, ["batch_size is 0"]),
        ({"max_examples": 0}, ["max_examples 0; at least one"]),
        ({"model": None}, ["model is missing"]),
        ({"reader": None}, ["reader is missing"]),
        ({"targets": {"new": "/nowhere.jsonl"}}, ["/nowhere.jsonl: no such folder"]),
        ({"reader": {"type": "p3_jsonl", "model_name": "t5"}}, ["reader: a P3JsonlReader cannot read `targets`"]),
    ],
)
def test_a_wrong_setting(changes: Any, messages: Any, fails: Any) -> None:
    fails(*messages, **changes)


def test_what_the_command_itself_chooses(fails: Any, tiny_model: Callable[[str], str]) -> None:
    base = tiny_model("t5")
    fails("model: leave `delta` out", model={"type": "seq2seq", "model_name": base, "delta": LORA})
    reader = {"type": "fewshot_gym", "model_name": base, "split": "dev"}
    fails("reader: leave `task` out", reader={**reader, "task": "films"})
    fails("reader: with `answer: 'random'` scores depend on the draw", reader={**reader, "answer": "random"})
    fails("name one of them", reader={**reader, "task_split": "split.json"})


def test_some_targets_have_no_delta_of_their_own(fails: Any, config: Any, tmp_path: Path) -> None:
    config()
    pattern = str(tmp_path / "runs" / "[cf]*" / "delta")
    fails("target_deltas: there is no 'numbers'; there are colours, films", measure="kl", target_deltas=pattern)


def test_a_target_without_examples(fails: Any, gym: Path) -> None:
    for path in (gym / "films").iterdir():
        path.write_text("")
    path = next((gym / "films").glob("*_dev.tsv"))
    fails(f"{path}: has no rows", target_names=["films"])


def test_deltas_that_cannot_take_turns(
    fails: Any, config: Any, tuned: Any, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    config()
    folder = tmp_path / "runs" / "films" / "delta"
    for model, delta, message in (
        ("t5", {"type": "ia3"}, "`peft_type` is 'LORA' and 'IA3'"),
        ("t5_gated", LORA, "do not go together: different weights"),
    ):
        shutil.rmtree(folder)
        _tune(tiny_model(model), "red", folder, "seq2seq", delta)
        fails("films/delta", message)
    shutil.rmtree(folder)
    folder.mkdir()
    fails("films/delta: not the folder of a delta")


@pytest.mark.parametrize("measure", ["loss", "parameter_cosine"])
def test_pickles_where_they_are_asked_for(measure: str, measured: Any, fails: Any, tmp_path: Path) -> None:
    own = {"target_deltas": str(tmp_path / "runs" / "*" / "delta")} if measure == "parameter_cosine" else {}
    safe = measured(measure={"type": measure}, **own)
    shutil.rmtree(tmp_path / "out")
    weights = tmp_path / "runs" / "films" / "delta" / "adapter_model.safetensors"
    torch.save(load_file(weights), weights.with_name("adapter_model.bin"))
    weights.unlink()
    fails("films/delta", "adapter_model.bin", "or set `allow_pickle`", measure={"type": measure}, **own)
    pickled = measured(measure={"type": measure}, allow_pickle=True, **own)
    np.testing.assert_array_equal(pickled.scores, safe.scores)


def test_a_base_model_that_is_another(fails: Any, tiny_model: Callable[[str], str]) -> None:
    fails("another base model", model={"type": "seq2seq", "model_name": tiny_model("t5_gated")})
    fails("use the model type 'seq2seq'", model={"type": "causal_lm", "model_name": tiny_model("t5")})
