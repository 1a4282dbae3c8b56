"""Do two texts go together? What rerankers are."""

from typing import Any, Dict, List, Optional, Sequence

import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from transformers import AutoConfig, AutoModelForSequenceClassification

from attribution.common.pretrained import (
    configuration_errors,
    is_head,
    learned_positions,
    load_pretrained,
    mask_argument,
)
from attribution.data.fields import TokenIds
from attribution.encoders.batch_mates import BatchMates, batch_mates
from attribution.encoders.batched import batches_of_similar_length
from attribution.metrics.mean_loss import MeanLoss
from attribution.metrics.pair_classification import PairClassification
from attribution.models.pretrained import load_weights


@Model.register("pair_classifier")
class PairClassifier(Model):
    """
    A cross-encoder: both texts go through the model as one, and a head says whether they go together (ReCross's
    reranker, Lin et al., 2022, https://arxiv.org/abs/2204.07937). Trained on the cross-entropy of the labels 0 and 1.

    Registered as a `Model` with name "pair_classifier".

    # Parameters

    vocab : `Vocabulary`
        Not used: tokens are the pretrained tokenizer's.
    model_name : `str`
        A hub id or a local folder of an encoder or a sequence classifier.
    num_logits : `int`, optional (default = `2`)
        2, one for each label, as published; or 1, as most public cross-encoders have it, of the label 1.
    weights_file : `str`, optional
        A state dict (`.th` or `.safetensors`) to start from: `best.th` of the reranker before this one.
    random_weights : `bool`, optional (default = `False`)
        Build the model from its configuration alone, untrained.
    """

    uneven_validation = True  # Metrics are added up at the end: ranks may have different numbers of batches.

    def __init__(
        self,
        vocab: Vocabulary,
        model_name: str,
        num_logits: int = 2,
        weights_file: Optional[str] = None,
        random_weights: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if num_logits not in (1, 2):
            raise ConfigurationError(f"num_logits is {num_logits}; 1 and 2 are possible")
        self.model_name = model_name
        self.transformer = load_classifier(model_name, num_logits, random_weights)
        self._positions = learned_positions(self.transformer)
        self._mates = classifier_mates(model_name, self.transformer)
        if weights_file is not None:
            load_weights(self, weights_file, "weights_file")
        self._losses = {True: MeanLoss(), False: MeanLoss()}  # By whether the model is in training.
        self._metric = PairClassification()

    def forward(  # type: ignore[override]
        self,
        pair: TokenIds,
        segments: Optional[TokenIds] = None,
        label: Optional[torch.Tensor] = None,
        row: Optional[List[int]] = None,
    ) -> Dict[str, Any]:
        """
        # Parameters

        pair : `TokenIds`
            Shape: (batch, length).
        segments : `TokenIds`, optional
            Of each token the text that it is of. Shape: (batch, length).
        label : `torch.Tensor`, optional
            Shape: (batch,). Without it there is no loss.
        row : `List[int]`, optional
            Handed through to the output.

        # Returns

        `logits` (batch, 1 or 2), `probability` (batch,) of the label 1 and, with labels, `loss`.
        """
        self._check(pair["token_ids"])
        logits = pair_logits(self.transformer, pair, segments, self._mates)
        # Shape: (batch,)
        margin = logits[:, -1] if logits.size(1) == 1 else logits[:, 1] - logits[:, 0]
        output: Dict[str, Any] = {"logits": logits, "probability": margin.sigmoid()}
        if label is not None:
            # The cross-entropy of two logits, too: their softmax is the sigmoid of the difference.
            output["loss"] = F.binary_cross_entropy_with_logits(margin, label.float())
            self._losses[self.training]("pairs", output["loss"].item() * len(label), len(label))
            if not self.training:
                self._metric(margin.tolist(), label.tolist())
        if row is not None:
            output["row"] = row
        return output

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """With `reset` only, but for the loss: AllenNLP asks after every batch, and these are of all pairs."""
        loss = self._losses[self.training].get_metric(reset)
        return {**self._metric.get_metric(reset), **loss} if reset and not self.training else loss

    @classmethod
    def _load(cls, config: Params, *args: Any, **kwargs: Any) -> Model:
        """As AllenNLP loads an archive, which holds all weights: what they started from is not needed then."""
        config["model"].pop("weights_file", None)
        return super()._load(config, *args, **kwargs)

    def _check(self, token_ids: torch.Tensor) -> None:
        if self._positions is not None and token_ids.size(1) > self._positions:
            raise ConfigurationError(
                f"model_name {self.model_name}: has {self._positions} positions; a pair here has {token_ids.size(1)} "
                "tokens. Lower max_length of the reader."
            )
        rows = self.transformer.get_input_embeddings().weight.size(0)
        if int(token_ids.max()) >= rows:
            raise ConfigurationError(
                f"model_name {self.model_name}: has {rows} tokens; the reader's tokenizer has more. Give both one "
                "model_name"
            )


def load_classifier(model_name: str, num_logits: Optional[int] = None, random_weights: bool = False) -> Any:
    """
    A sequence classifier in float32.

    # Parameters

    num_logits : `int`, optional
        Of its head, which is new where there is none yet. By default it must be there.

    # Raises

    `ConfigurationError` if there is no such model, it cannot be loaded, or it has no head or another one.
    """
    settings = {} if num_logits is None else {"num_labels": num_logits}
    with configuration_errors(model_name):
        config = AutoConfig.from_pretrained(model_name, **settings)
    if random_weights:
        with configuration_errors(model_name, config):
            return AutoModelForSequenceClassification.from_config(config).float()
    if num_logits is not None:
        return load_pretrained(AutoModelForSequenceClassification, model_name, config, is_head)
    headless = "train one with training_config/recross/reranker.jsonnet, or name one that is trained"
    return load_pretrained(AutoModelForSequenceClassification, model_name, config, headless=headless)


def classifier_mates(model_name: str, transformer: Any) -> BatchMates:
    """
    Which pairs may share a batch. Asked with token ids that are no special ones, but for the end that some expect.

    # Raises

    `ConfigurationError` if none may, not even alone.
    """
    config = transformer.config
    pad_id, start, end = (getattr(config, f"{name}_token_id", None) for name in ("pad", "bos", "eos"))
    rows = transformer.get_input_embeddings().weight.size(0)
    ids = [token for token in range(rows) if token not in (pad_id, start, end)]
    texts = [ids[-length:] + ([end] if isinstance(end, int) else []) for length in (3, 7, 12)]
    longest = learned_positions(transformer) or getattr(config, "max_position_embeddings", None) or 512

    def read(token_ids: torch.Tensor, mask: torch.Tensor) -> Sequence[torch.Tensor]:
        return list(pair_logits(transformer, {"token_ids": token_ids, "mask": mask}, None))

    return batch_mates(f"model_name {model_name}", transformer, config, read, texts, longest, pad_id or 0)


def pair_logits(
    transformer: Any, pair: TokenIds, segments: Optional[TokenIds], mates: BatchMates = BatchMates.ANY
) -> torch.Tensor:
    """Shape: (batch, labels)."""
    if mates is not BatchMates.ANY:
        return _logits_apart(transformer, pair, segments, mates)
    inputs = {"input_ids": pair["token_ids"], **mask_argument(transformer, pair["mask"])}
    if segments is not None:
        inputs["token_type_ids"] = segments["token_ids"]
    return transformer(**inputs).logits.float()


def _logits_apart(transformer: Any, pair: TokenIds, segments: Optional[TokenIds], mates: BatchMates) -> torch.Tensor:
    """The same, without padding. Shape: (batch, labels)."""
    lengths = pair["mask"].sum(1).tolist()
    batches = list(batches_of_similar_length(lengths, sum(lengths), mates))

    def part(texts: TokenIds, batch: List[int]) -> TokenIds:
        return {name: tensor[batch, : lengths[batch[0]]] for name, tensor in texts.items()}

    logits = torch.cat(
        [pair_logits(transformer, part(pair, batch), segments and part(segments, batch)) for batch in batches]
    )
    return logits[torch.tensor([row for batch in batches for row in batch], device=logits.device).argsort()]
