"""What every model of prompts and answer options does, whatever its architecture."""

import re
from abc import abstractmethod
from contextlib import nullcontext
from functools import cached_property
from typing import Any, ContextManager, Dict, List, Optional, Sequence, Set

import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import nearest
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from allennlp.training.metrics.metric import Metric
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig

from attribution.common.pretrained import learned_positions
from attribution.common.steady import forget_history
from attribution.data.fields import TokenIds, pad_token_ids
from attribution.data.prompt_tokenizer import PromptTokenizer
from attribution.metrics import MeanLoss, MetricList, RankClassification
from attribution.models.option_losses import length_normalized_loss, unlikelihood_loss
from attribution.models.pretrained import enable_checkpointing, load_transformer, load_weights, untie
from attribution.models.reading import ReadPrompts, check_generates, choose_reading, option_log_probs
from attribution.modules.delta import DeltaModule
from attribution.modules.delta.trial import at_random

OutputDict = Dict[str, Any]

_OPTION_SCORES = ("sum", "mean", "calibrated")
_LOSSES = ("mean", "sum")


class PromptedModel(Model):
    """
    Base of the models that are trained on the right option of each prompt and, in evaluation, rank all of them.

    The training loss is the cross-entropy of the right option's tokens. In evaluation mode the `loss` is the same, and
    `response` holds each row's best option: the one with the highest log-likelihood, the first of equals.

    # Parameters

    vocab : `Vocabulary`
        Not used: tokens are the pretrained tokenizer's.
    model_name : `str`
        A hub id or a local folder.
    relevant_label_index : `int`, optional (default = `0`)
        The option that the metrics `precision` and `recall` are about.
    gradient_checkpointing : `bool`, optional (default = `False`)
        Recompute activations in the backward pass: less memory, more time.
    fake_training : `bool`, optional (default = `False`)
        Multiplies the loss by zero: an archive of the untrained model.
    checkpoint_for_initialization, weights_file : `str`, optional
        A state dict (`.th` or `.safetensors`) to start from; both names are DEFT's.
    random_weights : `bool`, optional (default = `False`)
        Build the model from its configuration alone, untrained.
    delta : `DeltaModule`, optional
        Train this instead of all weights. Checkpoints and archives then hold what is trained and nothing else. Its
        `weights`, the folder of a delta, is what it starts from.
    loss : `str`, optional (default = `"mean"`)
        `mean` over the batch's target tokens, as published, or their `sum`. What is reported is the mean over those of
        all rows, or over rows: the same for any batch size and number of processes.
    label_smoothing : `float`, optional (default = `0.0`)
        Share of the probability spread evenly over the vocabulary, in training.
    unlikelihood_weight, length_normalized_weight : `float`, optional (default = `0.0`)
        Add so much of T-Few's losses (Liu et al., 2022, https://arxiv.org/abs/2205.05638, equations 1 and 2; 1 each
        as published) to that of the right option, in training: `unlikelihood_loss` and `length_normalized_loss`. All
        options are then read in training, too.
    option_score : `str`, optional (default = `"sum"`)
        `sum` of an option's token log-likelihoods, as published; their `mean`; or `calibrated`: the sum less that of
        the same option after `calibration_prompt` (Holtzman et al., 2021, https://arxiv.org/abs/2104.08315).
    calibration_prompt : `str`, optional (default = `""`)
        The prompt that says nothing.
    max_scored_tokens : `int`, optional (default = `65536`)
        Positions (options x (prompt + option)) that one decoder pass may attend to: what bounds the memory of rows
        with many options.
    generation : `Dict[str, Any]`, optional
        If given, evaluation also writes an answer: arguments of `transformers`' `generate`, such as
        `{ num_beams: 4, max_new_tokens: 64 }`.
    undouble : `bool`, optional (default = `False`)
        An answer that was generated and is one word twice becomes that word, as in ReCross (Lin et al., 2022).
    metrics : `List[Metric]`, optional
        Metrics of texts, such as `['exact_match', 'rouge_l']`, of what was generated if `generation` is given, and of
        each row's best option if not; rows with a single option, which is their target, do not count then. A row
        without `references` in its details has its right option as the reference. Options are decoded from token ids,
        without characters that the tokenizer lacks, unless the reader has `return_original_input: true`.
    bf16 : `bool`, optional (default = `False`)
        Compute in bfloat16 where there is a GPU. On a CPU it would be slower, and is not done.
    """

    encoder_decoder: bool
    default_predictor = "prompted"
    default_serializer = "rows"
    always_delta = False  # Whether it has a delta, with or without a block of that name.
    uneven_validation = True  # Metrics are added up at the end: ranks may have different numbers of batches.

    def __init__(
        self,
        vocab: Vocabulary,
        model_name: str,
        relevant_label_index: int = 0,
        gradient_checkpointing: bool = False,
        fake_training: bool = False,
        checkpoint_for_initialization: Optional[str] = None,
        weights_file: Optional[str] = None,
        random_weights: bool = False,
        delta: Optional[DeltaModule] = None,
        loss: str = "mean",
        label_smoothing: float = 0.0,
        unlikelihood_weight: float = 0.0,
        length_normalized_weight: float = 0.0,
        option_score: str = "sum",
        calibration_prompt: str = "",
        max_scored_tokens: int = 65536,
        generation: Optional[Dict[str, Any]] = None,
        undouble: bool = False,
        metrics: Optional[List[Metric]] = None,
        bf16: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        _check_choice("loss", loss, _LOSSES)
        _check_choice("option_score", option_score, _OPTION_SCORES)
        if not 0 <= label_smoothing <= 1 or relevant_label_index < 0:
            raise ConfigurationError(
                f"label_smoothing is {label_smoothing}, relevant_label_index {relevant_label_index}; "
                "0 to 1 and at least 0 are possible"
            )
        weighs_options = unlikelihood_weight != 0 or length_normalized_weight != 0
        if unlikelihood_weight < 0 or length_normalized_weight < 0:
            raise ConfigurationError(
                f"unlikelihood_weight is {unlikelihood_weight}, length_normalized_weight {length_normalized_weight}; "
                "they must not be negative"
            )
        if weighs_options and (label_smoothing or gradient_checkpointing):
            setting = "label_smoothing" if label_smoothing else "gradient_checkpointing"
            raise ConfigurationError(
                f"{setting} does not go with unlikelihood_weight and length_normalized_weight; leave it out"
            )
        known = set(GenerationConfig().to_dict())
        for name in sorted(set(generation or {}) - known):
            raise ConfigurationError(
                f"generation: transformers' generate has no setting {name!r}; {nearest(name, known)}"
            )
        try:
            GenerationConfig(**(generation or {}))
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"generation: {generation} is refused by transformers: {error}") from error
        if undouble and generation is None:
            raise ConfigurationError("undouble: nothing is generated; set `generation`")
        self.model_name = model_name
        self.fake_training = fake_training
        self.loss_reduction = loss
        self.label_smoothing = label_smoothing
        self.unlikelihood_weight = unlikelihood_weight
        self.length_normalized_weight = length_normalized_weight
        self.option_score = option_score
        self.calibration_prompt = calibration_prompt
        self.max_scored_tokens = max_scored_tokens
        self.generation = generation
        self.undouble = undouble
        self.bf16 = bf16
        self.transformer = load_transformer(model_name, self.encoder_decoder, random_weights)
        forget_history(self.transformer)
        self._positions = learned_positions(self.transformer)
        for setting, path in (
            ("checkpoint_for_initialization", checkpoint_for_initialization),
            ("weights_file", weights_file),
        ):
            if path is not None:
                load_weights(self, path, setting)
        self.delta = delta
        if delta is not None:
            self._inject(delta)
        if gradient_checkpointing:
            enable_checkpointing(self.transformer)
        with self._everything_shows(random_weights):
            bounds = () if delta is None else (delta.virtual_tokens, delta.left_padding_limit)
            self.reading = choose_reading(self.transformer, model_name, *bounds)
        if generation is not None:
            check_generates(self.reading, model_name)
        if option_score == "calibrated" and self.tokenizer.has_languages:
            raise ConfigurationError(
                f"option_score: the tokenizer of {model_name} writes languages, and nothing says which the prompt that "
                "says nothing is in; use `sum` or `mean`"
            )
        self._losses = {True: MeanLoss(), False: MeanLoss()}  # By whether the model is in training.
        self._metric = RankClassification(relevant_label_index)
        self._text_metrics = MetricList(metrics or [])
        self._measured, self._without_choice = 0, 0  # Rows, by the metrics of texts.

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
        """
        # Parameters

        prompt_and_input : `TokenIds`
            From a `TokenIdsField`. Shape: (batch, prompt length).
        answer_options : `TokenIds`, optional
            From an `AnswerOptionsField`. Shape: (options of all rows, option length), with `num_options` (batch,). A
            model that generates can do without them.
        correct_answer_index : `torch.Tensor`, optional
            Shape: (batch,). Without it there is no loss.
        row, metadata, task : `List`, optional
            Handed through to the output.
        details : `List[Dict[str, Any]]`, optional
            For the metrics of texts. An `id` in them is handed through.

        # Returns

        In training `{"loss"}`. In evaluation `loss` (with labels), `response` (the best option's index, one a row),
        `best_ids` (its token ids), `scores` (each row's list of option scores), `target_ids` and `correct_answer_index`
        (of the right option, with labels) and, where `generation` is set, `generated` token ids.
        """
        self.check_length(prompt_and_input, answer_options)
        if answer_options is None:
            output = self._write(prompt_and_input)
        else:
            output = self._choose(prompt_and_input, answer_options, correct_answer_index)
        if self.training:
            return output
        if self._text_metrics and ("target_ids" in output or details is not None):
            self._measure(output, metadata, details)
        for name, values in (("row", row), ("metadata", metadata), ("task", task), ("id", _ids(details))):
            if values is not None:
                output[name] = values
        return output

    def make_output_human_readable(self, output_dict: OutputDict) -> OutputDict:
        """
        Token ids become texts. `answer` is what the model says: what it wrote or, where it does not write, its best
        option. `target` is the right option, and `best_option` that of a model that writes its answers. Where there is
        a single option, nothing is chosen: `response` and the best option are None.
        """
        metadata = output_dict.get("metadata")
        if "best_ids" in output_dict:
            best = self._option_texts(output_dict.pop("best_ids"), output_dict["response"], metadata)
            chosen = [len(scores) > 1 for scores in output_dict["scores"]]
            name = "best_option" if "generated" in output_dict else "answer"
            output_dict[name] = [text if several else None for text, several in zip(best, chosen)]
            responses = zip(output_dict["response"], chosen)
            output_dict["response"] = [place if several else None for place, several in responses]
        if "generated" in output_dict:
            output_dict["answer"] = self._generated_texts(output_dict.pop("generated"))
        if "target_ids" in output_dict:
            places = output_dict["correct_answer_index"]
            output_dict["target"] = self._option_texts(output_dict.pop("target_ids"), places, metadata)
        return output_dict

    @cached_property
    def tokenizer(self) -> PromptTokenizer:
        return PromptTokenizer(self.model_name)

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """
        Those of texts are there with `reset` only: AllenNLP asks for the others after every batch. `loss` is a mean
        over all target tokens since the last reset or, where it is set to `sum`, over rows.
        """
        loss = self._losses[self.training].get_metric(reset)
        if self.training:
            return loss
        values = {**self._metric.get_metric(reset), **loss}
        if not reset:
            return values
        measured, without_choice = self._measured, self._without_choice
        self._measured, self._without_choice = 0, 0
        if without_choice and not measured and values.keys() <= {"loss"}:  # Those of all processes are in `values`.
            raise ConfigurationError(
                f"metrics: {without_choice} rows have a single option, their target, and nothing is generated: there "
                "is no answer to measure. Set `generation`, or give the rows `answer_choices`"
            )
        return {**values, **self._text_metrics.get_metric(reset)}

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        """One pass over each prompt, shared by its options where the model allows it."""
        return self.reading.read(prompts, options)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        """
        Teacher-forced logits of one target per prompt, at the targets' tokens only. Shape: (target tokens, vocabulary).
        """
        return self.reading.target_logits(prompts, targets)

    def remember(self, prompts: TokenIds) -> TokenIds:
        """The prompts for `target_logits`, with what of their reading training does not change, if it is anything."""
        return prompts

    @abstractmethod
    def _generate(self, prompts: TokenIds) -> torch.Tensor:
        """Generated token ids, the prompt left out. Shape: (batch, length)."""

    def generate(self, **inputs: Any) -> torch.Tensor:
        """`transformers`' generation with the settings in `generation`."""
        return self.reading.generate(**{"pad_token_id": self.tokenizer.pad_id, **inputs, **(self.generation or {})})

    def check_length(self, prompts: TokenIds, options: Optional[TokenIds]) -> None:
        if self._positions is None:
            return
        # Shapes: (batch,), (options,), (options,)
        of_prompts = prompts["mask"].sum(1)
        of_options = torch.zeros_like(of_prompts) if options is None else options["mask"].sum(1)
        together = of_options
        if not self.encoder_decoder:
            num_options = (options or {}).get("num_options", torch.ones_like(of_prompts))
            together = of_prompts.repeat_interleave(num_options) + of_options
        longest = max(int(of_prompts.max()), int(together.max()))
        if longest > self._positions:
            raise ConfigurationError(
                f"model_name {self.model_name}: has {self._positions} positions; prompts here have up to "
                f"{int(of_prompts.max())} tokens, options {int(of_options.max())}. Lower max_query_length and "
                "max_answer_length of the reader."
            )

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Of an archive, too: a model built from its configuration takes a head of its own."""
        untie(self, state_dict)
        return super().load_state_dict(state_dict, *args, **kwargs)

    @classmethod
    def _load(cls, config: Params, *args: Any, **kwargs: Any) -> Model:
        """As AllenNLP loads an archive. What its weights started from is not needed then, unless it is the base."""
        model = config.get("model", {})
        delta = model.get("delta")
        if isinstance(delta, Params) and delta.get("type") != "folder":
            delta.pop("weights", None)
        if not cls.leaves_base_out(model):
            for setting in ("checkpoint_for_initialization", "weights_file", "load_from_file"):
                model.pop(setting, None)
        try:
            return super()._load(config, *args, **kwargs)
        except RuntimeError as error:
            if not re.search(r"loading state.dict", str(error)):
                raise
            where = args[0] if args else kwargs["serialization_dir"]
            raise ConfigurationError(
                f"{where}: its weights are not of the model in its config.json: {error}"
            ) from error

    @classmethod
    def leaves_base_out(cls, model: Params) -> bool:
        """Whether archives hold what was trained, and not the weights below it."""
        return cls.always_delta or model.get("delta") is not None

    def _keep_trained(self, frozen: Set[str]) -> None:
        """Leaves these names out of state dicts, checkpoints and archives."""
        self._frozen = frozen
        self.register_state_dict_post_hook(_drop_frozen)
        self.register_load_state_dict_post_hook(_allow_frozen_to_miss)

    def training_loss(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        """Of one target per prompt, as `loss` and `label_smoothing` say."""
        logits = self.target_logits(prompts, targets)
        loss = F.cross_entropy(
            logits.float(),
            targets["token_ids"][targets["mask"]],
            reduction=self.loss_reduction,
            label_smoothing=self.label_smoothing,
        )
        return loss * 0.0 if self.fake_training else loss

    def _loss_of_options(self, prompts: TokenIds, options: TokenIds, gold: torch.Tensor) -> torch.Tensor:
        num_options, mask = options["num_options"], options["mask"]
        # Shape: (options, length)
        log_probs = option_log_probs(self.read(prompts, options), options, num_options, self.max_scored_tokens)
        scale = 0.0 if self.fake_training else 1.0
        loss = scale * self._loss_of_right_options(log_probs, mask, gold)
        self._report_right_options(loss, mask[gold])
        if self.unlikelihood_weight:
            part = scale * self.unlikelihood_weight * unlikelihood_loss(log_probs, mask, gold)
            self.report_loss("unlikelihood", part, int(mask.sum() - mask[gold].sum()))
            loss = loss + part
        if self.length_normalized_weight:
            weight = scale * self.length_normalized_weight
            part = weight * length_normalized_loss(log_probs, mask, num_options, gold)
            self.report_loss("length_normalized", part, len(gold))
            loss = loss + part
        return loss

    def report_loss(self, part: str, mean: torch.Tensor, count: int) -> None:
        """The `loss` among the metrics is over so many things more."""
        self._losses[self.training](part, mean.item() * count, count)

    def _report_right_options(self, loss: torch.Tensor, mask: torch.Tensor) -> None:
        if self.loss_reduction == "mean":
            self.report_loss("right", loss, int(mask.sum()))
        else:
            self.report_loss("right", loss / len(mask), len(mask))

    def _loss_of_right_options(self, log_probs: torch.Tensor, mask: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
        total = -log_probs[gold].sum()
        return total / mask[gold].sum() if self.loss_reduction == "mean" else total

    def _choose(self, prompts: TokenIds, options: TokenIds, correct: Optional[torch.Tensor]) -> OutputDict:
        """In training the loss; otherwise the options' scores and, where it writes, what it wrote."""
        num_options = options["num_options"]
        gold = None if correct is None else num_options.cumsum(0) - num_options + correct
        with self._precision(num_options.device):
            if self.training:
                if gold is None:
                    raise ConfigurationError("training needs labelled rows: there is no correct_answer_index")
                if self.unlikelihood_weight or self.length_normalized_weight:
                    return {"loss": self._loss_of_options(prompts, options, gold)}
                targets = _take(options, gold)
                loss = self.training_loss(prompts, targets)
                self._report_right_options(loss, targets["mask"])
                return {"loss": loss}
            output = self._rank(prompts, options, gold)
            if gold is not None:
                self._report_right_options(output["loss"], options["mask"][gold])
            if self.generation is not None:
                output["generated"] = self._generate(prompts).tolist()
        if correct is not None and gold is not None:
            self._metric(torch.tensor(output["response"]), correct.cpu(), num_options.cpu())
            output["target_ids"] = _lists(_take(options, gold))
            output["correct_answer_index"] = correct.tolist()
        return output

    def _write(self, prompts: TokenIds) -> OutputDict:
        if self.training or self.generation is None:
            raise ConfigurationError(
                "there are no options to rank; set `generation` for a model that writes its answers"
            )
        with self._precision(prompts["token_ids"].device):
            return {"generated": self._generate(prompts).tolist()}

    def _measure(
        self, output: OutputDict, metadata: Optional[List[Any]], details: Optional[List[Optional[Dict[str, Any]]]]
    ) -> None:
        """Tells the metrics of texts what was generated, or what was chosen of several options."""
        if self.generation is None:
            texts = self._option_texts(output["best_ids"], output["response"], metadata)
            counted = [place for place, scores in enumerate(output["scores"]) if len(scores) > 1]
        else:
            texts = self._generated_texts(output["generated"])
            counted = list(range(len(texts)))
        self._measured += len(counted)
        self._without_choice += len(texts) - len(counted)
        right = None
        if "target_ids" in output:
            right = self._option_texts(output["target_ids"], output["correct_answer_index"], metadata)
        self._text_metrics(
            [texts[place] for place in counted],
            None if details is None else [details[place] for place in counted],
            None if right is None else [right[place] for place in counted],
        )

    def _rank(self, prompts: TokenIds, options: TokenIds, gold: Optional[torch.Tensor]) -> OutputDict:
        num_options = options["num_options"]
        # Shape: (options, length)
        log_probs = option_log_probs(self.read(prompts, options), options, num_options, self.max_scored_tokens)
        scores = self._option_scores(log_probs, options).split(num_options.tolist())
        best = pad_sequence(list(scores), batch_first=True, padding_value=-torch.inf).argmax(1)
        chosen = num_options.cumsum(0) - num_options + best
        output: OutputDict = {
            "response": best.tolist(),
            "scores": [row.tolist() for row in scores],
            "best_ids": _lists(_take(options, chosen)),
        }
        if gold is not None:
            output["loss"] = self._loss_of_right_options(log_probs, options["mask"], gold)
        return output

    def _option_texts(
        self, ids: Sequence[Sequence[int]], places: Sequence[int], metadata: Optional[List[Any]]
    ) -> List[str]:
        """One option of each row: its very text, where the reader kept that, or else as its ids are decoded."""
        if metadata is None:
            return self._texts(ids)
        return [row["options"][place] for row, place in zip(metadata, places)]

    def _texts(self, ids: Sequence[Sequence[int]]) -> List[str]:
        return [self.tokenizer.decode(text) for text in ids]

    def _generated_texts(self, ids: Sequence[Sequence[int]]) -> List[str]:
        texts = self._texts(ids)
        return [undoubled(text) for text in texts] if self.undouble else texts

    def _option_scores(self, log_probs: torch.Tensor, options: TokenIds) -> torch.Tensor:
        """Shape: (options,)."""
        scores = log_probs.sum(1)
        if self.option_score == "mean":
            scores = scores / options["mask"].sum(1)
        elif self.option_score == "calibrated":
            all_of_it = torch.tensor([len(scores)], device=scores.device)
            null = self.read(self._null_prompt(scores.device), options)
            prior = option_log_probs(null, options, all_of_it, self.max_scored_tokens)
            scores = scores - prior.sum(1)
        return scores

    def _null_prompt(self, device: torch.device) -> TokenIds:
        [ids] = self.tokenizer.prompts([self.calibration_prompt], 512)
        return {name: tensor.to(device) for name, tensor in pad_token_ids([ids], 0).items()}

    def _inject(self, delta: DeltaModule) -> None:
        delta.inject(self.transformer)
        if delta.weights is not None:
            delta.load(self.transformer, delta.weights, self.model_name)
        if self._positions is not None:
            self._positions -= delta.virtual_tokens
        state = self.state_dict(keep_vars=True)
        self._keep_trained({name for name, weight in state.items() if not weight.requires_grad})

    def _everything_shows(self, untrained: bool) -> ContextManager[Any]:
        """Within it a delta, untrained and all but without effect, and biases that are 0 at first change scores."""
        if untrained:
            return at_random(*self.transformer.parameters(), around=1.0, std=0.1)
        if self.delta is None or not self._frozen:
            return nullcontext()
        return at_random(*self.delta.tensors(self.transformer).values(), around=1.0, std=0.3)

    def _precision(self, device: torch.device) -> ContextManager[Any]:
        if self.bf16 and device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()


def undoubled(text: str) -> str:
    """One word in place of the same word twice; any other text as it is."""
    words = text.split()
    return words[0] if len(words) == 2 and words[0] == words[1] else text


def _drop_frozen(model: Any, state: Dict[str, torch.Tensor], prefix: str, _metadata: Any) -> None:
    for name in model._frozen:
        del state[prefix + name]


def _allow_frozen_to_miss(model: Any, incompatible: Any) -> None:
    incompatible.missing_keys[:] = [name for name in incompatible.missing_keys if name not in model._frozen]


def _lists(texts: TokenIds) -> List[List[int]]:
    return [ids[mask].tolist() for ids, mask in zip(texts["token_ids"], texts["mask"])]


def _ids(details: Optional[List[Optional[Dict[str, Any]]]]) -> Optional[List[Any]]:
    ids = [(of_row or {}).get("id") for of_row in details or []]
    return None if all(one is None for one in ids) else ids


def _take(options: TokenIds, rows: torch.Tensor) -> TokenIds:
    """The given options, padded no further than the longest of them."""
    mask = options["mask"][rows]
    longest = int(mask.sum(1).max())
    return {"token_ids": options["token_ids"][rows, :longest], "mask": mask[:, :longest]}


def _check_choice(setting: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ConfigurationError(f"{setting}: {value!r} is none of {', '.join(choices)}")
