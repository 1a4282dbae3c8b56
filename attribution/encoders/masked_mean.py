"""The mean of an encoder's last hidden states over a text's tokens."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, Iterator, List, Optional

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of

from attribution.data.fields import pad_token_ids
from attribution.data.prompt_tokenizer import TokenIdLists
from attribution.encoders.encoder import Encoder

_WINDOW = 2048  # Texts sorted by length together; also the block that is given out at once.


@Encoder.register("masked_mean")
class MaskedMeanEncoder(Encoder):
    """
    Mean of the last layer's hidden states over a text's own tokens, special tokens included and padding left out: the
    representation of DEFT (Ivison et al., 2023, https://arxiv.org/abs/2212.00196, with a T5 encoder) and of
    sentence-transformers' MiniLM models (with `normalize`).

    Registered as an `Encoder` with name "masked_mean".

    # Parameters

    model_name : `str`
        A hub id or a local folder of any Hugging Face encoder or encoder-decoder; of the latter the decoder is not
        used, and for T5 not loaded.
    max_length : `int`, optional (default = `512`)
        Texts are cut to this many tokens.
    normalize : `bool`, optional (default = `False`)
        Scale vectors to length one, so that inner products are cosines.
    max_tokens : `int`, optional (default = `16384`)
        Padded tokens per batch. Changes speed and memory only.
    bf16 : `bool`, optional (default = `False`)
        Compute in bfloat16 where there is a GPU.
    """

    def __init__(
        self,
        model_name: str,
        max_length: int = 512,
        normalize: bool = False,
        max_tokens: int = 16384,
        bf16: bool = False,
    ) -> None:
        self.model_name = model_name
        self.max_length = max_length
        self.normalize = normalize
        self.max_tokens = max_tokens
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = _load_encoder(model_name).to(self._device).eval()
        if bf16 and self._device.type == "cuda":
            self._model = self._model.bfloat16()
        self._tokenizer = _load_tokenizer(model_name)

    @property
    def identity(self) -> Dict[str, Any]:
        return {
            "type": "masked_mean",
            "model_name": self.model_name,
            "max_length": self.max_length,
            "normalize": self.normalize,
        }

    def encode_blocks(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(1) as beside_the_model:
            waiting: Optional[Any] = None
            for window in lazy_groups_of(texts, _WINDOW):
                tokenized = beside_the_model.submit(self._tokenize, window)
                if waiting is not None:
                    yield self._encode_window(waiting.result())
                waiting = tokenized
            if waiting is not None:
                yield self._encode_window(waiting.result())

    def _tokenize(self, texts: List[str]) -> TokenIdLists:
        encoded = self._tokenizer(
            texts,
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return encoded["input_ids"]

    @torch.inference_mode()
    def _encode_window(self, texts: TokenIdLists) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors: Optional[np.ndarray] = None
        for batch in self._batches(order, texts):
            padded = pad_token_ids([texts[index] for index in batch], self._tokenizer.pad_token_id or 0)
            # Shape: (batch, length)
            mask = padded["mask"].to(self._device)
            # Shape: (batch, length, dimension)
            states = self._model(
                input_ids=padded["token_ids"].to(self._device), attention_mask=mask.long()
            ).last_hidden_state.float()
            means = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
            if self.normalize:
                means = torch.nn.functional.normalize(means, dim=-1)
            if vectors is None:
                vectors = np.empty((len(texts), means.size(1)), dtype=np.float32)
            vectors[batch] = means.cpu().numpy()
        assert vectors is not None
        return vectors

    def _batches(self, order: List[int], texts: TokenIdLists) -> Iterator[List[int]]:
        batch: List[int] = []
        for index in order:
            if batch and len(texts[index]) * (len(batch) + 1) > self.max_tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch


def _load_encoder(model_name: str) -> Any:
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

    try:
        config = AutoConfig.from_pretrained(model_name)
        if not config.is_encoder_decoder:
            return AutoModel.from_pretrained(model_name, dtype=torch.float32)
        if type(config) in AutoModelForTextEncoding._model_mapping:
            return AutoModelForTextEncoding.from_pretrained(model_name, dtype=torch.float32)
        return AutoModel.from_pretrained(model_name, dtype=torch.float32).get_encoder()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"encoder {model_name}: cannot be loaded ({error})") from error


def _load_tokenizer(model_name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model_name)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"encoder {model_name}: there is no tokenizer in it ({error})") from error
