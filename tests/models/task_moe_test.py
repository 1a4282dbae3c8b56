"""Task-level mixtures of experts as models: scoring, generation, training, archives."""

import copy
import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch
from allennlp.models.archival import load_archive

from attribution.data.dataset_readers import FewShotGymReader
from attribution.modules.moe import TaskTable
from attribution.modules.moe.regularisation import expert_distance
from tests.models.conftest import make_model
from tests.modules.moe.conftest import move_apart

LINES = {
    "birds": [("good film ?", ["yes", "no"]), ("a cat sat on the mat ?", ["no"]), ("red ?", ["green cat"])],
    "boats": [("this was bad .", ["maybe"]), ("one two ?", ["three four five", "six"]), ("is it ?", ["not"])],
    "lakes": [("the dog ?", ["blue"]), ("answer : seven", ["eight nine"]), ("that movie", ["bad", "good"])],
}
EMBEDDER = {"type": "learned", "tasks": sorted(LINES), "size": 8}
SMALL = {"type": "linear", "hidden_size": 4}
ONE_OF = {"type": "straight_through"}
MIXTURE = {"type": "softmax"}


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    for task, lines in LINES.items():
        for split in ("train", "dev"):
            path = tmp_path / "gym" / task / f"{task}_3_13_{split}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{text}\t" + "\t".join(answers) + "\n" for text, answers in lines))
    return tmp_path / "gym"


@pytest.fixture
def batch(gym: Path, tiny_model: Any) -> Callable[..., Dict[str, Any]]:
    """(model, number of options) -> all rows of all tasks in a batch, with answers of other rows as options."""

    def make(model: str, options: int = 3) -> Dict[str, Any]:
        reader = FewShotGymReader(tiny_model(model))
        examples = list(reader.examples(str(gym)))
        answers = [example.options[0] for example in examples]
        for number, example in enumerate(examples):
            others = [answers[(number + step) % len(answers)] for step in range(1 + number % options)]
            examples[number] = example._replace(options=others)
        return Batch(list(reader._block_to_instances(examples, reader._tokenize(examples)))).as_tensor_dict()

    return make


@pytest.fixture
def make_moe(tiny_model: Any) -> Callable[..., Any]:
    """A model whose experts differ from each other."""

    def make(name: str = "bart", apart: bool = True, **settings: Any) -> Any:
        folder = tiny_model(name)
        torch.manual_seed(7)
        defaults = {"task_vectors": EMBEDDER, "router": SMALL, "selector": ONE_OF}
        model = make_model(folder, **copy.deepcopy({"type": "task_moe_seq2seq", **defaults, **settings}))
        if apart:
            move_apart(model.transformer)
        return model.eval()

    return make


def rows_of(batch: Dict[str, Any], row: int) -> Dict[str, Any]:
    """One row of a batch, without padding."""
    prompts, options = batch["prompt_and_input"], batch["answer_options"]
    start = int(options["num_options"][:row].sum())
    places = slice(start, start + int(options["num_options"][row]))
    length = int(prompts["mask"][row].sum())
    longest = int(options["mask"][places].sum(1).max())
    return {
        "prompt_and_input": {name: tensor[row : row + 1, :length] for name, tensor in prompts.items()},
        "answer_options": {
            "token_ids": options["token_ids"][places, :longest],
            "mask": options["mask"][places, :longest],
            "num_options": options["num_options"][row : row + 1],
        },
        "correct_answer_index": batch["correct_answer_index"][row : row + 1],
        "details": [batch["details"][row]],
        "row": [batch["row"][row]],
    }


@pytest.mark.parametrize(
    "name, kind, selector",
    [
        *((name, "layer", selector) for name in ("bart", "t5") for selector in (ONE_OF, MIXTURE)),
        *(("bart", "layer", selector) for selector in ({"type": "instance_random"}, {"type": "task_random", "n": 2})),
        *(("t5", kind, selector) for kind in ("feed_forward", "lora", "adapter") for selector in (ONE_OF, MIXTURE)),
    ],
)
def test_a_mixed_batch_has_the_scores_and_texts_of_its_rows(
    name: str, kind: str, selector: Any, batch: Any, make_moe: Any
) -> None:
    model = make_moe(name, experts={"type": kind}, selector=selector, generation={"num_beams": 2, "max_new_tokens": 4})
    rows = batch(name)
    with torch.no_grad():
        together = model(**rows)
        for row in range(len(together["scores"])):
            alone = model(**rows_of(rows, row))
            assert alone["scores"][0] == pytest.approx(together["scores"][row], abs=2e-4)
            text = alone["generated"][0]
            assert together["generated"][row][: len(text)] == text


def test_scores_are_those_of_teacher_forcing(batch: Any, make_moe: Any) -> None:
    model = make_moe("t5", selector=MIXTURE)
    rows = batch("t5", options=2)
    with torch.no_grad():
        scores = [score for row in model(**rows)["scores"] for score in row]
        options = rows["answer_options"]
        each = torch.arange(len(options["num_options"])).repeat_interleave(options["num_options"])
        prompts = {name: tensor[each] for name, tensor in rows["prompt_and_input"].items()}
        with model.holder.rows(each):
            logits = model.target_logits(prompts, options)
        log_probs = logits.log_softmax(-1).gather(1, options["token_ids"][options["mask"]][:, None])[:, 0]
        sums = [part.sum().item() for part in log_probs.split(options["mask"].sum(1).tolist())]
    assert scores == pytest.approx(sums, abs=2e-4)


def test_average_routes_of_experts_that_are_alike_are_the_vanilla_model(
    batch: Any, make_moe: Any, tiny_model: Any
) -> None:
    model = make_moe("bart", apart=False, experts={"type": "layer", "noise": 0.0}, selector={"type": "uniform"})
    vanilla = make_model(tiny_model("bart")).eval()
    rows = batch("bart")
    with torch.no_grad():
        one, other = model(**rows), vanilla(**rows)
    assert one["loss"].item() == pytest.approx(other["loss"].item(), abs=1e-5) and not hasattr(model.router, "weight")
    for scores, right in zip(one["scores"], other["scores"]):
        assert scores == pytest.approx(right, abs=1e-4)


def test_experts_start_from_a_checkpoint(make_moe: Any, tiny_model: Any, tmp_path: Path) -> None:
    trained = make_model(tiny_model("bart"))
    with torch.no_grad():
        for weight in trained.parameters():
            weight += 0.1
    torch.save(trained.state_dict(), tmp_path / "trained.th")
    settings = {"experts": {"type": "layer", "noise": 0.0}, "weights_file": str(tmp_path / "trained.th")}
    right = trained.transformer.state_dict()
    for name, tensor in make_moe("bart", apart=False, **settings).transformer.state_dict().items():
        assert torch.equal(tensor, right[re.sub(r"experts\.\d\.", "", name)]), name


def test_regularisation_adds_the_distance_of_experts_in_training(make_moe: Any, batch: Any) -> None:
    name, rows = "t5_without_dropout", batch("t5_without_dropout", options=1)
    plain, drawn = (make_moe(name, selector={"type": "uniform"}, expert_regularisation=much) for much in (0.0, 0.5))
    assert torch.equal(drawn(**rows)["loss"], plain(**rows)["loss"])
    added = drawn.train()(**rows)["loss"] - plain.train()(**rows)["loss"]
    assert added.item() == pytest.approx(0.5 * expert_distance(plain.transformer, 3).item(), rel=1e-4)


@pytest.fixture
def train(gym: Path, tiny_model: Any, allennlp: Any, tmp_path: Path) -> Callable[..., Any]:
    """(name of the run, settings of the model, other changes) -> result of a training on the gym."""

    def run(name: str, model: Dict[str, Any], architecture: str = "bart", *flags: str, **changes: Any) -> Any:
        folder = tiny_model(architecture)
        config = {
            "dataset_reader": {"type": "fewshot_gym", "model_name": folder},
            "validation_dataset_reader": {"type": "fewshot_gym", "model_name": folder, "split": "dev"},
            "train_data_path": str(gym),
            "validation_data_path": str(gym),
            "vocabulary": {"type": "empty"},
            "model": {"type": "task_moe_seq2seq", "model_name": folder, **model},
            "data_loader": {"batch_size": 3, "shuffle": True},
            "validation_data_loader": {"batch_size": 9},
            "trainer": {
                "num_epochs": 2,
                "optimizer": {
                    "type": "huggingface_adamw",
                    "lr": 0.01,
                    "weight_decay": 0.1,
                    "parameter_groups": [[["^router"], {"lr": 0.05}], [["^task_vectors"], {"lr": 0.1}]],
                },
                "cuda_device": -1,
                "enable_default_callbacks": False,
                "callbacks": ["update_routing"],
                **changes.pop("trainer", {}),
            },
            **changes,
        }
        path = tmp_path / f"{name}.jsonnet"
        path.write_text(json.dumps(config))
        return allennlp("train", path, "-s", tmp_path / name, *flags)

    return run


def weights(folder: Path) -> Dict[str, torch.Tensor]:
    return torch.load(folder / "best.th", weights_only=True)


ANNEALED = {"type": "softmax", "temperature": {"start": 300.0, "floor": 1.0, "rate": 0.3}}


def test_two_stages(train: Any, allennlp: Any, gym: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Router and task table of the first, fresh experts, and evaluation at the temperature of the best epoch."""
    first = {"task_vectors": EMBEDDER, "router": SMALL, "selector": ONE_OF}
    result = train("one", first)
    assert result.status == 0, result.stderr
    second = {"router": SMALL, "selector": ANNEALED, "freeze_router": True, "experts": None, "task_vectors": None}
    result = train("two", {**second, "router_from": str(tmp_path / "one" / "model.tar.gz")})
    assert result.status == 0, result.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    routed = [name for name in one if name.startswith(("router.", "task_vectors."))]
    assert len(routed) == 6
    for name in routed:  # A frozen router does not change by a bit, weight decay or not.
        assert torch.equal(one[name], two[name])
    moved = [name for name in two if name.startswith("transformer.") and not torch.equal(one[name], two[name])]
    assert len(moved) > 100

    metrics = json.loads((tmp_path / "two" / "metrics.json").read_text())
    best = metrics["best_epoch"]
    assert two["selector.temperature.updates"].item() == 3 * (best + 1)
    # Stage one's files are not needed any more.
    (tmp_path / "one").rename(tmp_path / "elsewhere")
    result = allennlp("evaluate", tmp_path / "two" / "model.tar.gz", gym, "--output-file", tmp_path / "again.json")
    assert result.status == 0, result.stderr
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["loss"] == pytest.approx(metrics["best_validation_loss"], abs=1e-5)
    model: Any = load_archive(tmp_path / "two" / "model.tar.gz").model
    temperature = model.selector.temperature.value
    assert 1 < temperature < 300
    routes = model.routes_of(["boats"])
    logits = model.router(model.task_vectors(["boats"]))
    assert torch.allclose(routes, (logits / temperature).softmax(-1), atol=1e-6)

    # The directory of a training serves as its archive does; another shape is refused.
    for changes, message in (
        ({"experts": {"type": "layer", "count": 2}}, "its router is of another shape: routers.0.2.bias is (12,) there"),
        ({"router": {"type": "linear", "hidden_size": 5}}, "its router is of another shape"),
        ({"router": {"type": "gru", "hidden_size": 4}}, "is missing there"),
        ({"experts": {"type": "layer", "vanilla_decoder_layers": [0]}}, "for 3 layers of 3 experts"),
        ({"router_from": str(gym)}, "no archive, and no directory of a finished training"),
    ):
        settings = {**second, "router_from": str(tmp_path / "elsewhere"), **changes}
        result = train("three", settings)
        assert result.status == 1 and message in result.stderr, result.stderr


@pytest.mark.parametrize("kind", ["lora", "adapter"])
def test_archives_of_small_experts_hold_what_was_trained(
    kind: str, train: Any, allennlp: Any, gym: Path, tmp_path: Path
) -> None:
    settings = {"experts": kind, "task_vectors": EMBEDDER, "router": SMALL, "expert_regularisation": 0.01}
    result = train("run", settings)
    assert result.status == 0, result.stderr
    names = set(weights(tmp_path / "run"))
    assert all("expert." in name for name in names if name.startswith("transformer."))
    assert {"router.routers.0.0.weight", "task_vectors.vectors", "selector.temperature.updates"} <= names
    result = allennlp("evaluate", tmp_path / "run" / "model.tar.gz", gym, "--output-file", tmp_path / "again.json")
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert json.loads((tmp_path / "again.json").read_text())["loss"] == pytest.approx(metrics["best_validation_loss"])


def test_an_unseen_task_needs_a_vector(train: Any, allennlp: Any, gym: Path, tmp_path: Path) -> None:
    settings = {"task_vectors": {**EMBEDDER, "tasks": ["birds", "boats"]}, "router": SMALL}
    result = train("run", settings)
    assert result.status == 1 and "'lakes' is not in the task table of 2 tasks" in result.stderr
    result = train("other", {**settings, "task": "birds"}, trainer={"num_epochs": 1})
    assert result.status == 0, result.stderr
    TaskTable(["lakes"], torch.zeros(1, 8)).save(tmp_path / "lakes.npz")
    overrides = json.dumps({"model.task": None, "model.unseen_tasks": str(tmp_path / "lakes.npz")})
    assert allennlp("evaluate", tmp_path / "other" / "model.tar.gz", gym, "-o", overrides).status == 0


def test_every_router_takes_an_optimizer_step(make_moe: Any, batch: Any) -> None:
    for name in ("rnn", "lstm", "gru", "transformer"):
        model = make_moe(
            "t5", router={"type": name, "hidden_size": 4, "layer_specific": True}, selector=MIXTURE
        ).train()
        before = [weight.clone() for weight in model.router.parameters()]
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        model(**batch("t5", options=1))["loss"].backward()
        optimizer.step()
        assert any(not torch.equal(one, other) for one, other in zip(before, model.router.parameters()))


def test_gradient_checkpointing_gives_the_same_gradients(make_moe: Any, batch: Any) -> None:
    gradients: List[Any] = []
    for kind in ("layer", "feed_forward"):
        for checkpointing in (False, True):
            model = make_moe(
                "t5_without_dropout", experts={"type": kind}, selector=MIXTURE, gradient_checkpointing=checkpointing
            ).train()
            model(**batch("t5_without_dropout", options=1))["loss"].backward()
            gradients.append({name: weight.grad for name, weight in model.named_parameters()})
        plain, recomputed = gradients[-2:]
        for name, gradient in plain.items():
            assert gradient is not None and torch.allclose(gradient, recomputed[name], atol=1e-6), name


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"delta": {"type": "lora"}}, "`delta` and `option_score: 'calibrated'` are not possible"),
        ({"option_score": "calibrated"}, "are not possible"),
        ({"task_vectors": None}, "a router needs a `task_vectors`"),
        ({"experts": {"type": "layer", "count": 0}}, "count is 0"),
        ({"selector": {"type": "softmax", "disabled": [[4, 0]]}}, "there are 4 layers of 3 experts"),
        ({"unseen_tasks": "x.npz", "task_vectors": {"type": "random"}}, "no table to add to"),
        ({"unseen_tasks": "nowhere.npz"}, "nowhere.npz: no such file"),
        ({"router": {"type": "arrow"}}, "needs LoRA experts"),
        ({"router_from": "nowhere"}, "router_from nowhere: no archive"),
        ({"router": {"type": "perceptron"}}, "perceptron"),
        ({"router": {"type": "linear", "layers": 3}}, "router: layers is 3, and 4 in this model; leave it out"),
        ({"router": {"type": "gru", "experts": 2}}, "router: experts is 2, and 3 in this model"),
        ({"router": {"type": "linear", "input_size": 9}}, "router: input_size is 9, and 8 in this model"),
    ],
)
def test_wrong_settings(settings: Any, message: str, make_moe: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_moe("bart", **settings)


def test_rows_without_a_task_and_a_temperature_that_nobody_moves(make_moe: Any, batch: Any) -> None:
    rows = batch("bart")
    with pytest.raises(ConfigurationError, match="does not say what its task is"):
        make_moe("bart")(**{**rows, "details": None})
    model = make_moe("bart", task="birds")
    with torch.no_grad():
        one = model(**{**rows, "details": None})["scores"]
    assert one[0] == make_moe("bart")(**rows)["scores"][0]
    with pytest.raises(ConfigurationError, match="add 'update_routing' to trainer.callbacks"):
        make_moe("bart", selector=ANNEALED).train()(**rows)
    with pytest.raises(ConfigurationError, match="routes of InstanceRandom are those of examples"):
        make_moe("bart", selector={"type": "instance_random"}).routes_of(["birds"])
