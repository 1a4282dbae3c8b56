"""Pooled hidden states of any Hugging Face model."""

import logging
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForTextEncoding

from attribution.common.manifest import fingerprint
from attribution.common.pretrained import (
    configuration_errors,
    is_pooler,
    learned_positions,
    load_pretrained,
    mask_argument,
    model_identity,
)
from attribution.data.fields import pad_token_ids
from attribution.data.prompt_tokenizer import TokenIdLists, load_tokenizer
from attribution.data.word_tokenizer import WordPieces, WordTokenizer
from attribution.encoders.batch_mates import SAMPLE, BatchMates, batch_mates
from attribution.encoders.batched import BatchedEncoder, batches_of_similar_length
from attribution.encoders.encoder import Encoder
from attribution.encoders.progress import progress
from attribution.modules.delta import Prompt, delta_from_folder
from attribution.modules.delta.delta_folder import CONFIG, WEIGHTS

logger = logging.getLogger(__name__)

_PARTS = ("encoder", "decoder", "encoder_decoder")


@Encoder.register("transformer")
class TransformerEncoder(BatchedEncoder):
    """
    Hidden states of a text's own tokens, pooled; special tokens are included and padding is left out. As it stands it
    is the representation of DEFT (Ivison et al., 2023, https://arxiv.org/abs/2212.00196, section 2: a T5 encoder's
    mean) and of ReCross (Lin et al., 2022, https://arxiv.org/abs/2204.07937: BART0's encoder; vBART is the same of
    `facebook/bart-large`).

    Registered as an `Encoder` with name "transformer".

    # Parameters

    model_name : `str`
        A hub id or a local folder of an encoder, an encoder-decoder or a decoder-only model.
    max_length : `int`, optional (default = `512`)
        Texts are cut to this many tokens, or where the model's positions end.
    pooling : `str`, optional (default = `"mean"`)
        `mean`; `weighted_mean`, where the i-th token counts i times, as RDS+ does with decoder-only models (Ivison et
        al., 2025, https://arxiv.org/abs/2503.01807); `first`, `last` or `max`.
    layer : `int`, optional (default = `-1`)
        Whose output to pool: 0 is the embeddings, -1 the last layer with its final norm.
    part : `str`, optional (default = `"encoder"`)
        Of an encoder-decoder: `encoder`, whose decoder is then not loaded, `decoder`, or `encoder_decoder`, both
        halves' vectors side by side. The decoder reads the same text after its start token (Lewis et al., 2020, section
        3.1), so that a token's state there is the one that predicts it, and each half is pooled: ReCross's
        2048-dimensional BART0 vectors, whose decoder half depended on nothing but the encoder.
    normalize : `bool`, optional (default = `False`)
        Scale vectors to length one, so that inner products are cosines.
    max_tokens : `int`, optional (default = `2048` on a CPU, `32768` on a GPU)
        Padded tokens per batch. Changes speed and memory only.
    bf16 : `bool`, optional (default = `False`)
        Compute in bfloat16 where there is a GPU.
    delta : `str`, optional
        The folder of a delta of that model, which is put into it.
    extra_bos : `bool`, optional (default = `False`)
        Whether each text begins with the beginning-of-sequence token, written out (`<s> a text`, which becomes
        `<s> <s> a text </s>`), as ReCross's own code has it.
    """

    def __init__(
        self,
        model_name: str,
        max_length: int = 512,
        pooling: str = "mean",
        layer: int = -1,
        part: str = "encoder",
        normalize: bool = False,
        max_tokens: Optional[int] = None,
        bf16: bool = False,
        delta: Optional[str] = None,
        extra_bos: bool = False,
    ) -> None:
        super().__init__(max_tokens)
        if pooling not in _POOLINGS:
            raise ConfigurationError(f"encoder: pooling {pooling!r} is none of {', '.join(_POOLINGS)}")
        if part not in _PARTS:
            raise ConfigurationError(f"encoder: part {part!r} is none of {', '.join(_PARTS)}")
        if max_length < 1:
            raise ConfigurationError(f"encoder: max_length is {max_length}; at least one is needed")
        self.model_name = model_name
        self.max_length = max_length
        self.pooling = pooling
        self.layer = layer
        self.part = part
        self.normalize = normalize
        self.bf16 = bf16 and self.device.type == "cuda"
        self.delta = delta
        self.extra_bos = extra_bos
        self._model: Any = None
        self._tokenizer: Any = None
        self._words: Optional[WordTokenizer] = None
        self._start = 0

    @property
    def identity(self) -> Dict[str, Any]:
        settings = ("max_length", "pooling", "layer", "part", "normalize", "bf16")
        model = model_identity(self.model_name)
        identity = {"type": "transformer", "model": model, **{setting: getattr(self, setting) for setting in settings}}
        if self.extra_bos:
            identity["extra_bos"] = True
        if self.delta is None:
            return identity
        files = [fingerprint(Path(self.delta) / name)["sha256"] for name in (CONFIG, WEIGHTS)]
        return {**identity, "delta": files}

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_model": None, "_tokenizer": None, "_words": None}

    @torch.inference_mode()
    def encode_words(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """
        Of each word its own pieces' states, pooled. A word that the model does not read whole, as its sentence is too
        long, or that is no piece of its own, has zeros, and is counted in `texts_cut`. Shape: (words, dimension),
        float32
        """
        if self.extra_bos:
            raise ConfigurationError("encoder: extra_bos is for texts; leave it out for words")
        self.load()
        if self._words is None:
            self._words = WordTokenizer(self.model_name)
        if self._longest <= self._words.special_tokens:
            raise ConfigurationError(f"encoder: max_length is {self._longest}; no word fits beside the special tokens")
        texts = self._words.tokenize(sentences, self._longest)
        self.texts_cut += sum(not own for text in texts for own in text.pieces)
        vectors: List[torch.Tensor] = [torch.empty(0)] * len(texts)
        lengths = [len(text.token_ids) for text in texts]
        with progress(len(texts), "sentence") as bar:
            for batch in batches_of_similar_length(lengths, self.max_tokens, self.mates):
                for number, own in zip(batch, self._embed_words([texts[number] for number in batch])):
                    vectors[number] = own
                bar.update(len(batch))
        return torch.cat(vectors).numpy()

    def _embed_words(self, texts: Sequence[WordPieces]) -> Sequence[torch.Tensor]:
        """Of each sentence. Shape of each: (words, dimension)"""
        padded = pad_token_ids([text.token_ids or [self.pad_id] for text in texts], self.pad_id)
        states = self.states(padded["token_ids"].to(self.device), padded["mask"].to(self.device))
        places = [[n * states.size(1) + place for place in own] for n, text in enumerate(texts) for own in text.pieces]
        # Shape: (words, dimension)
        vectors = torch.zeros(len(places), states.size(2))
        read = [number for number, own in enumerate(places) if own]
        for group in batches_of_similar_length([len(places[number]) for number in read], self.max_tokens):
            words = [read[place] for place in group]
            pieces = pad_token_ids([places[word] for word in words], 0)
            of_words = states.flatten(0, 1)[pieces["token_ids"].to(self.device)]
            vectors[words] = self._pool(of_words, pieces["mask"].to(self.device)).cpu()
        return vectors.split([len(text.pieces) for text in texts])

    def load(self) -> None:
        if self._model is None:
            self._tokenizer = load_tokenizer(self.model_name)
            self.pad_id = self._tokenizer.pad_token_id or 0
            if self.extra_bos and self._tokenizer.bos_token is None:
                raise ConfigurationError(f"encoder {self.model_name}: has no beginning-of-sequence token for extra_bos")
            config, model = self._load_model(self.model_name)
            model = model.to(self.device).eval()
            if self.part != "encoder":
                self._start = self._decoder_start(model, config)
            self._longest = min(self.max_length, learned_positions(model) or self.max_length)
            if self._longest < self.max_length:
                logger.warning("%s has %d positions: texts are cut there", self.model_name, self._longest)
            self.mates = self._ask(model, config)
            self._model = model.bfloat16() if self.bf16 else model

    def _ask(self, model: Any, config: Any) -> BatchMates:
        def read(token_ids: torch.Tensor, mask: torch.Tensor, layer: int = self.layer) -> Sequence[torch.Tensor]:
            return [states[own] for states, own in zip(self._states(model, token_ids, mask, layer), mask)]

        def last(token_ids: torch.Tensor, mask: torch.Tensor) -> Sequence[torch.Tensor]:
            return read(token_ids, mask, layer=-1)

        sample = self._tokenizer(SAMPLE, truncation=True, max_length=self._longest)["input_ids"]
        name = f"encoder {self.model_name}"
        return batch_mates(name, model, config, read, sample, self._longest, self.pad_id, last)

    def _decoder_start(self, model: Any, config: Any) -> int:
        """What a decoder reads first, as in `generate`."""
        places = [getattr(model, "generation_config", None), config]
        for name in ("decoder_start_token_id", "bos_token_id"):
            for place in places:
                if getattr(place, name, None) is not None:
                    return getattr(place, name)
        raise ConfigurationError(
            f"encoder {self.model_name}: its configuration has no decoder_start_token_id; part {self.part} needs one"
        )

    def tokenize(self, texts: List[str]) -> TokenIdLists:
        if self.extra_bos:
            texts = [f"{self._tokenizer.bos_token} {text}" for text in texts]
        return self.cut_to(self._longest, self._tokenizer, texts)

    def embed(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self._pool(self.states(token_ids, mask), mask)

    def _pool(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        pooled = _POOLINGS[self.pooling](states, mask.unsqueeze(-1))
        return torch.nn.functional.normalize(pooled, dim=-1) if self.normalize else pooled

    def states(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Shape: (batch, length, dimension)."""
        return self._states(self._model, token_ids, mask, self.layer)

    def _states(self, model: Any, token_ids: torch.Tensor, mask: torch.Tensor, layer: int) -> torch.Tensor:
        """Shape: (batch, length, dimension)."""
        inputs: Dict[str, Any] = {"input_ids": token_ids, **mask_argument(model, mask)}
        if layer != -1:
            inputs["output_hidden_states"] = True
        if self.part != "encoder":
            start = torch.full_like(token_ids[:, :1], self._start)
            inputs["decoder_input_ids"] = torch.cat([start, token_ids[:, :-1]], dim=1)
            inputs["decoder_attention_mask"] = mask.long()
        names = {
            "encoder": [("last_hidden_state", "hidden_states")],
            "decoder": [("last_hidden_state", "decoder_hidden_states")],
            "encoder_decoder": [
                ("encoder_last_hidden_state", "encoder_hidden_states"),
                ("last_hidden_state", "decoder_hidden_states"),
            ],
        }[self.part]
        output = model(**inputs)
        halves = [self._layer(output, last, every, layer, token_ids.size(1)).float() for last, every in names]
        return torch.cat(halves, dim=-1)

    def _layer(self, output: Any, last: str, every: str, layer: int, length: int) -> torch.Tensor:
        """
        Shape: (batch, length, dimension).

        # Raises

        `ConfigurationError` if there is no such layer, or it has not one state for each token.
        """
        name = last if layer == -1 else every
        states = getattr(output, name, None)
        if states is None or len(states) == 0:
            raise ConfigurationError(f"encoder {self.model_name}: this model gives no {name}; choose another layer")
        if layer != -1:
            if not -len(states) <= layer < len(states):
                raise ConfigurationError(f"encoder {self.model_name}: has {len(states) - 1} layers; layer is {layer}")
            states = states[layer]
        if isinstance(states, tuple):  # Pegasus-X's layers give the states of global tokens, too.
            states = states[0]
        if states.ndim != 3 or states.size(1) < length:
            raise ConfigurationError(
                f"encoder {self.model_name}: layer {layer} has not one state for each token: of {length} tokens its "
                f"shape is {tuple(states.shape)}; choose another layer, such as -1"
            )
        return states[:, :length]  # BigBird, Pegasus-X and Reformer fill up blocks, and cut them behind the last layer.

    def _load_model(self, model_name: str) -> Tuple[Any, Any]:
        """The whole model's configuration, and the part that reads."""
        with configuration_errors(model_name):
            config = AutoConfig.from_pretrained(model_name)
        if self.part != "encoder" and (not config.is_encoder_decoder or config.model_type == "encoder-decoder"):
            raise ConfigurationError(
                f"encoder {model_name}: part {self.part} needs an encoder-decoder such as BART or T5"
            )
        for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
            if hasattr(part, "use_cache"):
                part.use_cache = False  # Nothing is generated. With it FSMT's decoder looks ahead.
        if self.delta is not None:
            return config, self._load_tuned(model_name, self.delta, config)
        # Two models as one (`EncoderDecoderModel`) are no base model.
        auto: Any = AutoModelForSeq2SeqLM if config.model_type == "encoder-decoder" else AutoModel
        if self.part == "encoder" and type(config) in AutoModelForTextEncoding._model_mapping:
            config.is_encoder_decoder = False  # T5Gemma's encoder is built of such a configuration only.
            auto = AutoModelForTextEncoding
        half = self.part == "encoder" and config.is_encoder_decoder
        if half:
            _without_decoder_layers(config)
        model = load_pretrained(auto, model_name, config, is_pooler)
        return config, model.get_encoder() if half else model

    def _load_tuned(self, model_name: str, folder: str, config: Any) -> Any:
        delta = delta_from_folder(folder)
        if isinstance(delta, Prompt):
            raise ConfigurationError(f"encoder {model_name}: the prompt in {folder} would be among a text's own tokens")
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = load_pretrained(auto, model_name, config, is_pooler)
        delta.inject(model)
        delta.load(model, folder, model_name)
        return model.get_encoder() if self.part == "encoder" and config.is_encoder_decoder else model.base_model


def _without_decoder_layers(config: Any) -> None:
    """A model of this configuration reads none of the decoder layers' weights."""
    decoder = getattr(config, "decoder", config)
    for setting in ("decoder_layers", "num_hidden_layers" if decoder is not config else ""):
        if hasattr(decoder, setting):
            setattr(decoder, setting, 0)


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (states * mask).sum(1) / mask.sum(1)


def _weighted_mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.cumsum(1) * mask
    return (states * weights).sum(1) / weights.sum(1)


def _first(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[:, 0]


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states)), mask.squeeze(-1).sum(1) - 1]


def _max(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states.masked_fill(~mask, -torch.inf).amax(1)


# Each: states (batch, length, dimension) and mask (batch, length, 1) to (batch, dimension).
_POOLINGS: Dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mean": _mean,
    "weighted_mean": _weighted_mean,
    "first": _first,
    "last": _last,
    "max": _max,
}
