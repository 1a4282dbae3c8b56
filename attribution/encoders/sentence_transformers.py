"""Models of the sentence-transformers library, in this package's batches."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.pretrained import is_pooler, load_pretrained, model_identity
from attribution.data.prompt_tokenizer import TokenIdLists
from attribution.encoders.batch_mates import SAMPLE, BatchMates, batch_mates
from attribution.encoders.batched import BatchedEncoder
from attribution.encoders.encoder import Encoder


@Encoder.register("sentence_transformers")
class SentenceTransformersEncoder(BatchedEncoder):
    """
    A text model with all its modules (pooling, projections, normalisation), as the library of Reimers and Gurevych
    (2019, https://sbert.net) loads it. ReCross's SBERT baseline is `sentence-transformers/all-distilroberta-v1`. Needs
    the extra `sentence-transformers`.

    Registered as an `Encoder` with name "sentence_transformers".

    # Parameters

    model_name : `str`
        A hub id or a local folder.
    max_length : `int`, optional
        Texts are cut to this many tokens; by default what the model says.
    prompt : `str`, optional (default = `""`)
        Put before each text, of pool and queries alike.
    max_tokens : `int`, optional (default = `2048` on a CPU, `32768` on a GPU)
        Padded tokens per batch. Changes speed and memory only.
    """

    def __init__(
        self, model_name: str, max_length: Optional[int] = None, prompt: str = "", max_tokens: Optional[int] = None
    ) -> None:
        super().__init__(max_tokens)
        if max_length is not None and max_length < 1:
            raise ConfigurationError(f"encoder: max_length is {max_length}; at least one is needed")
        self.model_name = model_name
        self.max_length = max_length
        self.prompt = prompt
        self._model: Any = None

    @property
    def identity(self) -> Dict[str, Any]:
        settings = {"max_length": self.max_length, "prompt": self.prompt}
        return {"type": "sentence_transformers", "model": model_identity(self.model_name), **settings}

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_model": None}

    def load(self) -> None:
        if self._model is not None:
            return
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigurationError(
                "encoder sentence_transformers: the library is not installed; "
                "pip install 'cross-task-attribution[sentence-transformers]'"
            ) from error
        try:
            model = SentenceTransformer(self.model_name, device=str(self.device)).eval()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"encoder {self.model_name}: cannot be loaded ({error})") from error
        if self.max_length and model.max_seq_length and self.max_length > model.max_seq_length:
            raise ConfigurationError(
                f"encoder {self.model_name}: max_length is {self.max_length}, the model's {model.max_seq_length}"
            )
        self.pad_id = model.tokenizer.pad_token_id or 0
        self.mates = self._ask(model, self.max_length or model.max_seq_length or 512)
        self._model = model

    def _ask(self, model: Any, length: int) -> BatchMates:
        transformer: Any = getattr(model[0], "auto_model", None)  # Not every module is one of transformers.
        config: Any = getattr(transformer, "config", None)
        if transformer is not None:
            # The library does not say whether weights were missing. Once more, without their values.
            load_pretrained(type(transformer), transformer.name_or_path, may_lack=is_pooler, device_map="meta")

        def read(token_ids: torch.Tensor, mask: torch.Tensor) -> List[torch.Tensor]:
            return list(_vectors(model, token_ids, mask))

        sample = model.tokenizer(SAMPLE, truncation=True, max_length=length)["input_ids"]
        return batch_mates(f"encoder {self.model_name}", model, config, read, sample, length, self.pad_id)

    def tokenize(self, texts: List[str]) -> TokenIdLists:
        length = self.max_length or self._model.max_seq_length
        return self.cut_to(length, self._model.tokenizer, [self.prompt + text for text in texts])

    def embed(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return _vectors(self._model, token_ids, mask)


def _vectors(model: Any, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Shape: (batch, dimension)."""
    return model({"input_ids": token_ids, "attention_mask": mask.long()})["sentence_embedding"]
