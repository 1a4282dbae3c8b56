"""One base model, and one delta after the other in it."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model

from attribution.models import PromptedModel
from attribution.modules.delta import Delta, delta_from_folder
from attribution.similarity.target_task import LabelledBatch

_KEPT_BYTES = 2 << 30


class ResidentModel:
    """
    The model is loaded once. Deltas are read once, too, as far as 2 GiB of memory hold them, and copied into it.

    # Parameters

    model : `Lazy[Model]`
        A `PromptedModel`, without `delta`.
    first : `Path`
        The folder of a delta: its method and size are those of all others.
    allow_pickle : `bool`, optional (default = `False`)
        Take deltas that are kept as `adapter_model.bin`.
    """

    def __init__(self, model: Lazy[Model], first: Path, allow_pickle: bool = False) -> None:
        delta = delta_from_folder(first, allow_pickle)
        built: Any = model.construct(vocab=Vocabulary.empty(), delta=delta)
        if not isinstance(built, PromptedModel):
            raise ConfigurationError(f"model: a {type(built).__name__} takes no deltas; use seq2seq or causal_lm")
        if built.delta is not delta:
            raise ConfigurationError("model: leave `delta` out; the deltas are those of the folders")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = built.to(self.device).eval()
        self._present: Optional[Path] = first
        self._tensors = delta.tensors(built.transformer)
        self._kept: Dict[Path, Dict[str, torch.Tensor]] = {}
        self._kept_bytes = 0
        self._keep(first)

    @property
    def transformer(self) -> Any:
        return self.model.transformer

    def tensors(self) -> Dict[str, torch.nn.Parameter]:
        """Those of the delta, by their names in a file."""
        return self._tensors

    def put(self, folder: Path) -> None:
        """
        # Raises

        `ConfigurationError`, naming the first difference, if it is a delta of another method, size or base model.
        """
        if folder == self._present:
            return
        if folder in self._kept:
            with torch.no_grad():
                for name, weight in self.tensors().items():
                    weight.copy_(self._kept[folder][name])
        else:
            self._delta.load(self.transformer, folder, self.model.model_name)
            self._keep(folder)
        self._present = folder

    def put_delta(self, delta: Delta) -> None:
        """One that is in no folder: a merge."""
        self._delta.assign(self.transformer, delta, "the merged delta")
        self._present = None

    def check_length(self, batch: LabelledBatch) -> None:
        """
        # Raises

        `ConfigurationError` if the model has no positions for so long a text.
        """
        self.model.check_length(batch.prompts, batch.answers)

    @contextmanager
    def dropout(self, seed: int) -> Iterator[None]:
        """Within it the model is in training mode; what is dropped depends on the seed alone."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            self.model.train()
            try:
                yield
            finally:
                self.model.eval()

    @property
    def reads_batches(self) -> bool:
        """Whether `logits` runs the model once, on the batch as it is."""
        return self.model.reading.one_pass

    def logits(self, batch: LabelledBatch) -> torch.Tensor:
        """Of the tokens of all answers, teacher-forced, in float32. Shape: (answer tokens, vocabulary)"""
        self.check_length(batch)
        return self.model.target_logits(batch.prompts, batch.answers).float()

    @property
    def _delta(self) -> Any:
        return self.model.delta

    def _keep(self, folder: Path) -> None:
        tensors = self.tensors()
        size = sum(weight.numel() * weight.element_size() for weight in tensors.values())
        if self._kept_bytes + size <= _KEPT_BYTES:
            self._kept[folder] = {name: weight.detach().clone() for name, weight in tensors.items()}
            self._kept_bytes += size
