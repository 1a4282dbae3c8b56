"""Do two texts go together? What rerankers are."""

from typing import Any, Dict, List, Optional

import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification

from attribution.common.pretrained import learned_positions
from attribution.data.fields import TokenIds
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
        if weights_file is not None:
            load_weights(self, weights_file, "weights_file")
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
        logits = pair_logits(self.transformer, pair, segments)
        # Shape: (batch,)
        margin = logits[:, -1] if logits.size(1) == 1 else logits[:, 1] - logits[:, 0]
        output: Dict[str, Any] = {"logits": logits, "probability": margin.sigmoid()}
        if label is not None:
            # The cross-entropy of two logits, too: their softmax is the sigmoid of the difference.
            output["loss"] = F.binary_cross_entropy_with_logits(margin, label.float())
            if not self.training:
                self._metric(margin.tolist(), label.tolist())
        if row is not None:
            output["row"] = row
        return output

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """With `reset` only: AllenNLP asks after every batch, and these are of all pairs."""
        return self._metric.get_metric(reset) if reset and not self.training else {}

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
    try:
        if random_weights:
            from transformers import AutoConfig

            config = AutoConfig.from_pretrained(model_name, **settings)
            return AutoModelForSequenceClassification.from_config(config).float()
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            model_name, dtype=torch.float32, output_loading_info=True, **settings
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ConfigurationError(f"model_name {model_name}: no classifier can be loaded from it ({error})") from error
    if num_logits is None and loading["missing_keys"]:
        raise ConfigurationError(
            f"model_name {model_name}: is no classifier; it has no {sorted(loading['missing_keys'])[0]}. Train one "
            "with training_config/recross/reranker.jsonnet, or name one that is trained"
        )
    return model


def pair_logits(transformer: Any, pair: TokenIds, segments: Optional[TokenIds]) -> torch.Tensor:
    """Shape: (batch, labels)."""
    inputs = {"input_ids": pair["token_ids"], "attention_mask": pair["mask"].long()}
    if segments is not None:
        inputs["token_type_ids"] = segments["token_ids"]
    return transformer(**inputs).logits.float()
