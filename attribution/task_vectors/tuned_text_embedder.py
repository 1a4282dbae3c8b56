"""What a model that was tuned on a task makes of the task's inputs."""

from typing import Optional

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.similarity import ResidentModel
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows

_POOLINGS = ("inner", "first", "mean")


@TaskEmbedder.register("tuned_text")
class TunedTextEmbedder(TaskEmbedder):
    """
    The mean over a task's inputs of the last hidden states of its encoder (of a decoder-only model: of the model), with
    the delta that was tuned on the task in it; of all weights, if the delta is `none`, as published.

    Registered as a `TaskEmbedder` with name "tuned_text".

    # Parameters

    pooling : `str`, optional (default = `"inner"`)
        Over an input's tokens: `inner`, the mean without the first and the last one, which are BART's own marks, as
        published (Ye et al., 2022, https://arxiv.org/abs/2205.12701); the `first` one, published too; or the `mean` of
        all.
    """

    needs_delta = True

    def __init__(self, pooling: str = "inner") -> None:
        if pooling not in _POOLINGS:
            raise ConfigurationError(f"embedder.pooling: {pooling!r} is none of {', '.join(_POOLINGS)}")
        self.pooling = pooling

    @torch.no_grad()
    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        assert model is not None
        transformer = model.transformer
        reads = transformer.get_encoder() if transformer.config.is_encoder_decoder else transformer.base_model
        total, inputs = torch.zeros((), dtype=torch.float64), 0
        for batch in task.batches:
            ids, mask = batch.prompts["token_ids"], batch.prompts["mask"]
            states = reads(input_ids=ids, attention_mask=mask.long()).last_hidden_state.double()
            if self.pooling == "first":
                pooled = states[:, 0]
            else:
                wanted = _inner(mask, task.name) if self.pooling == "inner" else mask
                pooled = (states * wanted[..., None]).sum(1) / wanted.sum(1, keepdim=True)
            total = total + pooled.sum(0).cpu()
            inputs += len(ids)
        return (total / inputs).numpy()


def _inner(mask: torch.Tensor, task: str) -> torch.Tensor:
    """
    Without the first and the last token of each row. Shape: (batch, length), bool

    # Raises

    `ConfigurationError` if a row has no others.
    """
    lengths = mask.sum(1, keepdim=True)
    shortest = int(lengths.min())
    if shortest < 3:
        raise ConfigurationError(
            f"tuned_text: an input of the task {task!r} has {shortest} tokens, and none but the first and the last; "
            "take pooling: 'mean'"
        )
    places = mask.cumsum(1)
    return mask & (places > 1) & (places < lengths)
