"""Task-level mixtures of experts: who a task is decides which experts of each layer its examples take."""

import os
from typing import Any, Dict, List, Optional, Sequence

import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model

from attribution.data.fields import TokenIds
from attribution.models.prompted_model import OutputDict
from attribution.models.reading import ReadPrompts
from attribution.models.seq2seq import Seq2Seq
from attribution.models.stage_one import router_state, stage_one_state
from attribution.modules.moe import Experts, Router, RouteSelector, TaskRepresentation, layer_routes
from attribution.modules.moe.regularisation import expert_distance
from attribution.modules.moe.task_representation import TabledTaskRepresentation
from attribution.modules.moe.task_table import stored_table


@Model.register("task_moe_seq2seq")
class TaskMoESeq2Seq(Seq2Seq):
    """
    A `seq2seq` model with several experts in each layer, mixed by the task of an example (Ye et al., 2022,
    https://arxiv.org/abs/2205.12701). Where each row takes one expert alone, and no gradient is wanted for its weight,
    only that expert is run on it.

    Rows need a `task` in their details, as `fewshot_gym` gives it and `p3_jsonl` with `keep: ['task']`, or the setting
    `task`.

    Registered as a `Model` with name "task_moe_seq2seq".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-xl-lm-adapt"`)
        A BART or T5: a hub id or a local folder. Experts start from its weights, or from those in `weights_file`.
    experts : `Experts`, optional
        What an expert is, and how many there are; by default three whole layers.
    selector : `RouteSelector`, optional
        From the router's logits to routes; by default `straight_through`, as published.
    router : `Router`, optional
        From task vectors to logits; by default `linear`. Selectors that do not look at logits do without it.
    task_vectors : `TaskRepresentation`, optional
        From tasks to their vectors. A router needs it, unless `router_from` has a table.
    router_from : `str`, optional
        Stage one: the archive or the directory of a training, whose router and, without `task_vectors`, whose task
        table it starts with. Its experts are left behind.
    freeze_router : `bool`, optional (default = `False`)
        Does not train the router.
    unseen_tasks : `str`, optional
        A further table (`.npz`, `.safetensors`) for the tasks that the first does not have.
    task : `str`, optional
        The task of all rows, whatever they say.
    expert_regularisation : `float`, optional (default = `0.0`)
        Adds the distance between experts (`expert_distance`) to the loss, so many times: above 0 it pulls them
        together.

    All others are those of `Seq2Seq`. `delta` and `option_score: 'calibrated'` are not possible.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        model_name: str = "google/t5-xl-lm-adapt",
        experts: Optional[Experts] = None,
        selector: Optional[RouteSelector] = None,
        router: Optional[Lazy[Router]] = None,
        task_vectors: Optional[Lazy[TaskRepresentation]] = None,
        router_from: Optional[str] = None,
        freeze_router: bool = False,
        unseen_tasks: Optional[str] = None,
        task: Optional[str] = None,
        expert_regularisation: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("delta") is not None or kwargs.get("option_score") == "calibrated":
            raise ConfigurationError(
                "task_moe_seq2seq: `delta` and `option_score: 'calibrated'` are not possible; for small experts there "
                "are the experts `lora` and `adapter`"
            )
        super().__init__(vocab, model_name, **kwargs)
        self.experts = experts or Experts.by_name("layer")()
        self.selector = selector or RouteSelector.by_name("straight_through")()
        self.task = task
        self.expert_regularisation = expert_regularisation
        self.counts_updates = False
        self.layer_names = [place.name for place in self.experts.places(self.transformer)]
        self.layers = len(self.layer_names)
        self.selector.check(self.layers, self.experts.count)
        self.holder = self.experts.inject(self.transformer)
        self.router: Optional[Router] = None
        self.task_vectors: Optional[TaskRepresentation] = None
        if self.selector.uses_router:
            self._build_router(router or Lazy(Router.by_name("linear")), task_vectors, router_from)
            if freeze_router:
                self.router.requires_grad_(False)  # type: ignore[attr-defined]
            if unseen_tasks is not None:
                self._add_unseen(unseen_tasks)
        if not self.experts.trains_all:
            weights = self.transformer.named_parameters(prefix="transformer", remove_duplicate=False)
            buffers = self.transformer.named_buffers(prefix="transformer", remove_duplicate=False)
            frozen = {name for name, tensor in (*weights, *buffers) if not tensor.requires_grad}
            self._keep_trained(frozen & set(self.state_dict()))

    def forward(  # type: ignore[override]
        self,
        prompt_and_input: TokenIds,
        answer_options: Optional[TokenIds] = None,
        correct_answer_index: Optional[torch.Tensor] = None,
        row: Optional[List[int]] = None,
        metadata: Optional[List[Any]] = None,
        task: Optional[List[str]] = None,
        details: Optional[List[Optional[Dict[str, Any]]]] = None,
    ) -> OutputDict:
        """As of `PromptedModel`, which says what is taken and returned."""
        count = len(prompt_and_input["mask"])
        tasks = self._tasks(count, task, details)
        ids = [(of_row or {}).get("id") for of_row in details or [None] * count]
        numbers = row if row is not None else list(range(count))
        self.set_routes(
            tasks, [f"{name} {number if id is None else id}" for name, id, number in zip(tasks, ids, numbers)]
        )
        output = super().forward(prompt_and_input, answer_options, correct_answer_index, row, metadata, task, details)
        if self.training and self.expert_regularisation:
            distance = self.expert_regularisation * expert_distance(self.transformer, self.experts.count)
            self.report_loss("expert_regularisation", distance, count)
            output["loss"] = output["loss"] + distance
        return output

    def set_routes(self, tasks: Sequence[str], examples: Optional[Sequence[str]] = None) -> None:
        """Until the next call, the transformer's batches are examples of these tasks."""
        self._check_updates_are_counted()
        self.holder.layers = layer_routes(self.selector(self._logits(tasks), tasks, examples or tasks))

    @torch.no_grad()
    def routes_of(self, tasks: Sequence[str], temperature: Optional[float] = None) -> torch.Tensor:
        """
        The routes that evaluation takes or, with a temperature, the softmax of the router's logits at that. Shape:
        (layers, tasks, experts)

        # Raises

        `ConfigurationError` if routes are those of examples, or a temperature is given and there is no router.
        """
        if temperature is not None and (self.router is None or not temperature > 0):
            raise ConfigurationError(f"temperature is {temperature}; above 0 is possible, of a model with a router")
        if temperature is None and not self.selector.by_task:
            raise ConfigurationError(
                f"selector: the routes of {type(self.selector).__name__} are those of examples, not of tasks"
            )
        training = self.training
        self.eval()
        try:
            logits = self._logits(tasks)
            if temperature is not None:
                return (self.selector.without_disabled(logits) / temperature).softmax(-1)
            return self.selector(logits, tasks, tasks)
        finally:
            self.train(training)

    @property
    def updates(self) -> int:
        """Updates of the training so far."""
        temperature: Any = getattr(self.selector, "temperature", None)
        return 0 if temperature is None else int(temperature.updates)

    def count_update(self) -> None:
        temperature: Any = getattr(self.selector, "temperature", None)
        if temperature is not None:
            temperature.updates += 1

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        read = super().read(prompts, options)

        def continue_with(rows: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            with self.holder.rows(rows):
                return read.continue_with(rows, token_ids, wanted)

        return read._replace(continue_with=continue_with)

    @classmethod
    def leaves_base_out(cls, model: Params) -> bool:
        kind: Any = Experts.by_name(_settings(model, "experts").get("type", "layer"))
        return not kind.trains_all

    @classmethod
    def _load(  # type: ignore[override]
        cls,
        config: Params,
        serialization_dir: Any,
        weights_file: Any = None,
        cuda_device: int = -1,
    ) -> Model:
        """As AllenNLP loads an archive: router and task table come out of it, and not from where they did."""
        weights_file = weights_file or os.path.join(serialization_dir, "best.th")
        model = config["model"]
        model.pop("router_from", None)
        _settings(model, "experts").pop("weights", None)
        embedder = _settings(model, "task_vectors")
        kind = embedder.get("type", "table")
        if kind in ("table", "learned"):
            trainable = kind == "learned" or embedder.get("trainable", False)
            model["task_vectors"] = {"type": "table", "path": str(weights_file), "trainable": trainable}
        return super()._load(config, serialization_dir, weights_file, cuda_device)

    def _build_router(
        self, router: Lazy[Router], task_vectors: Optional[Lazy[TaskRepresentation]], router_from: Optional[str]
    ) -> None:
        state = stage_one_state(router_from) if router_from is not None else None
        if task_vectors is not None:
            self.task_vectors = task_vectors.construct()
        elif state is not None:
            self.task_vectors = TabledTaskRepresentation(stored_table(state, f"router_from {router_from}"), False)
        else:
            raise ConfigurationError(
                "task_moe_seq2seq: a router needs a `task_vectors`: { type: 'table', path: ... } of what `allennlp "
                "embed-tasks` wrote, 'learned' or 'random'"
            )
        sizes = {"layers": self.layers, "experts": self.experts.count, "input_size": self.task_vectors.size}
        self.router = router.construct(**sizes)
        for name, size in sizes.items():
            found = getattr(self.router, name)
            if found != size:
                raise ConfigurationError(f"router: {name} is {found}, and {size} in this model; leave it out")
        self.router.attach(self.transformer)
        if state is not None:
            self.router.load_state_dict(router_state(state, self.router, f"router_from {router_from}"))

    def _add_unseen(self, path: str) -> None:
        if not isinstance(self.task_vectors, TabledTaskRepresentation):
            raise ConfigurationError("unseen_tasks: these task_vectors have no table to add to; they know every task")
        self.task_vectors.add_unseen(path)

    def _logits(self, tasks: Sequence[str]) -> torch.Tensor:
        """Shape: (layers, tasks, experts)"""
        if self.router is None or self.task_vectors is None:
            device = next(self.transformer.parameters()).device
            return torch.zeros(self.layers, len(tasks), self.experts.count, device=device)
        names = sorted(set(tasks))  # Each task is routed once.
        rows = [names.index(task) for task in tasks]
        return self.router(self.task_vectors(names))[:, rows]

    def _tasks(
        self, count: int, task: Optional[List[str]], details: Optional[List[Optional[Dict[str, Any]]]]
    ) -> List[str]:
        if self.task is not None:
            return [self.task] * count
        if task is not None:
            return task
        tasks = [(of_row or {}).get("task") for of_row in details or [None] * count]
        if not all(isinstance(name, str) for name in tasks):
            raise ConfigurationError(
                "task_moe_seq2seq: a row does not say what its task is; read a few-shot folder with `fewshot_gym`, "
                "prompted rows with `keep: ['task']`, or set `task` of the model"
            )
        return tasks  # type: ignore[return-value]

    def _check_updates_are_counted(self) -> None:
        temperature: Any = getattr(self.selector, "temperature", None)
        if self.training and not self.counts_updates and temperature is not None and temperature.rate:
            raise ConfigurationError(
                "the temperature has a rate, and nothing counts updates: add 'update_routing' to trainer.callbacks"
            )


def _settings(model: Params, name: str) -> Any:
    """A component's, which a configuration may give by its registered name alone, as null or not at all."""
    value = model.get(name)
    return {"type": value} if isinstance(value, str) else {} if value is None else value
