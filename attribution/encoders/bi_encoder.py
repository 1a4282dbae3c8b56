"""The vectors of a trained `bi_encoder`."""

from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import load_tensors

from attribution.common.json_files import read_json_object
from attribution.common.manifest import fingerprint
from attribution.encoders.encoder import Encoder
from attribution.modules.two_towers import TwoTowers


@Encoder.register("bi_encoder")
class BiEncoderEncoder(Encoder):
    """
    What a training of the model `bi_encoder` has learned: the vectors of the encoder that it was trained on, of queries
    through one network and of the pool's rows through the other (ReCross, Lin et al., 2022,
    https://arxiv.org/abs/2204.07937, the trained index of its ablation).

    Registered as an `Encoder` with name "bi_encoder".

    # Parameters

    folder : `str`
        The directory of the training: its `config.json` has the encoder, its `best.th` the networks.
    """

    def __init__(self, folder: str) -> None:
        self.weights = Path(folder) / "best.th"
        model = read_json_object(Path(folder) / "config.json")[0].get("model", {})
        if model.get("type") != "bi_encoder" or not self.weights.is_file():
            raise ConfigurationError(f"encoder bi_encoder: {folder} is not the directory of a training of bi_encoder")
        self.encoder = Encoder.from_params(Params(model["encoder"]))
        self._towers: Optional[TwoTowers] = None

    @property
    def identity(self) -> Dict[str, Any]:
        return {
            "type": "bi_encoder",
            "encoder": self.encoder.identity,
            "weights": fingerprint(self.weights)["sha256"],
        }

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_towers": None}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode(texts, "rows")

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode(texts, "queries")

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str], kind: str) -> np.ndarray:
        vectors = torch.from_numpy(self.encoder.encode(texts))
        self.texts_cut = self.encoder.texts_cut
        return getattr(self._load(vectors.size(1)), kind)(vectors).numpy()

    def _load(self, dimension: int) -> TwoTowers:
        if self._towers is None:
            state = {name.removeprefix("towers."): value for name, value in load_tensors(self.weights).items()}
            hidden_size, trained_on = state["query.0.weight"].shape
            if trained_on != dimension:
                raise ConfigurationError(
                    f"{self.weights}: was trained on vectors of {trained_on} dimensions; the encoder's have {dimension}"
                )
            self._towers = TwoTowers(dimension, hidden_size, len(state["query.2.weight"]))
            self._towers.load_state_dict(state)
        return self._towers
