"""What a model that was tuned on a task makes of the task's inputs."""

from typing import Optional

import numpy as np
import torch

from attribution.similarity import ResidentModel
from attribution.similarity.task_similarity import check_choice
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows


@TaskEmbedder.register("tuned_text")
class TunedTextEmbedder(TaskEmbedder):
    """
    The mean over a task's inputs of the last hidden states of its encoder (of a decoder-only model: of the model), with
    the delta that was tuned on the task in it; of all weights, if the delta is `none`, as published.

    Registered as a `TaskEmbedder` with name "tuned_text".

    # Parameters

    pooling : `str`, optional (default = `"mean"`)
        Over an input's tokens: `mean`, or the `first` one.
    """

    needs_delta = True

    def __init__(self, pooling: str = "mean") -> None:
        check_choice("pooling", pooling, ("mean", "first"))
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
                pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            total = total + pooled.sum(0).cpu()
            inputs += len(ids)
        return (total / inputs).numpy()
