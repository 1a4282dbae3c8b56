"""Deltas held in memory, to try one merge of them after another."""

from typing import Dict, Sequence

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file

from attribution.ensembling.delta_folder import DeltaFolder, common_layout
from attribution.ensembling.delta_merger import DeltaMerger
from attribution.ensembling.ensemble_weights import EnsembleWeights


class HeldDeltas:
    """
    # Parameters

    sources : `Sequence[DeltaFolder]`
    merger : `DeltaMerger`

    # Raises

    `ConfigurationError` if they cannot be merged, or are of another size when they are.
    """

    def __init__(self, sources: Sequence[DeltaFolder], merger: DeltaMerger) -> None:
        self.layout = common_layout(sources)
        self._merger = merger
        if merger.merged_layout(self.layout, len(sources)).tensors != self.layout.tensors:
            raise ConfigurationError(
                "merger: no merge of another rank than the sources' can be tried; leave `rank` out, take another "
                "merger than concatenation, or use a weighting that tries none"
            )
        files = [load_file(source.safetensors) for source in sources]
        # Shape of each: (sources, ...)
        self._tensors = {name: torch.stack([file[name].float() for file in files]) for name in self.layout.tensors}
        for name, tensor in self._tensors.items():
            for source, values in zip(sources, tensor):
                if not values.isfinite().all():
                    raise ConfigurationError(f"{source.files[-1]}: the tensor {name} has values that are not numbers")

    def merged(self, weights: np.ndarray) -> Dict[str, torch.Tensor]:
        """The tensors of one merge. Shape of the weights: (sources,)"""
        names = [str(number) for number in range(len(weights))]
        of_one = EnsembleWeights(["merged"], names, weights[None].astype(np.float64), [])
        tensors: Dict[str, torch.Tensor] = {}
        for step in self._merger.steps(self.layout, of_one):
            values = [self._tensors[name] for name in step.names]
            merged = self._merger(step.names, values, torch.tensor(step.weights, dtype=torch.float32), self.layout)
            tensors.update((name, value[0].float()) for name, value in zip(step.names, merged))
        return tensors
