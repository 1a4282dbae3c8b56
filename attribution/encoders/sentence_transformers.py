"""Models of the sentence-transformers library, in this package's batches."""

import json
import logging
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedTokenizerBase
from transformers.utils import cached_file

from attribution.common.pretrained import is_pooler, load_pretrained, model_identity
from attribution.data.prompt_tokenizer import TokenIdLists
from attribution.encoders.batch_mates import SAMPLE, BatchMates, batch_mates
from attribution.encoders.batched import BatchedEncoder
from attribution.encoders.encoder import Encoder

logger = logging.getLogger(__name__)

# What texts are for, and the names of the prompts that the library then looks for.
_PROMPT_NAMES = {"document": ("document", "passage", "corpus"), "query": ("query",)}


@Encoder.register("sentence_transformers")
class SentenceTransformersEncoder(BatchedEncoder):
    """
    A text model with all its modules (pooling, projections, normalisation), as the library of Reimers and Gurevych
    (2019, https://sbert.net) runs it: the pool by its `encode_document`, queries by its `encode_query`, so that the
    prompts that are stored with a model, and the part of it that is for queries alone, have their effect. ReCross's
    SBERT baseline is `sentence-transformers/all-distilroberta-v1`. Needs the extra `sentence-transformers`.

    Registered as an `Encoder` with name "sentence_transformers".

    # Parameters

    model_name : `str`
        A hub id or a local folder.
    max_length : `int`, optional
        Texts are cut to this many tokens; by default what the model says.
    prompt : `str`, optional
        Put before each text, of pool and queries alike, in place of the prompts that are stored with the model.
    max_tokens : `int`, optional (default = `2048` on a CPU, `32768` on a GPU)
        Padded tokens per batch. Changes speed and memory only.
    """

    def __init__(
        self,
        model_name: str,
        max_length: Optional[int] = None,
        prompt: Optional[str] = None,
        max_tokens: Optional[int] = None,
    ) -> None:
        super().__init__(max_tokens)
        if max_length is not None and max_length < 1:
            raise ConfigurationError(f"encoder: max_length is {max_length}; at least one is needed")
        self.model_name = model_name
        self.max_length = max_length
        self.prompt = prompt
        self._model: Any = None
        self._task = "document"
        self._tokenizers: Dict[str, Any] = {}

    @property
    def identity(self) -> Dict[str, Any]:
        settings = {"max_length": self.max_length, "prompt": self.prompt}
        return {"type": "sentence_transformers", "model": model_identity(self.model_name), **settings}

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_model": None, "_tokenizers": {}}

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
        if self.max_length:
            model.max_seq_length = self.max_length
        readers = {task: _reader(model, task) for task in _PROMPT_NAMES}
        for reader in readers.values():
            if _is_tokenizer(reader.tokenizer) and reader.tokenizer.pad_token is None:  # The library always pads.
                reader.tokenizer.pad_token = reader.tokenizer.convert_ids_to_tokens(0)
        # Apart from the library's own: how a text is cut and padded is a state of a tokenizer.
        self._tokenizers = {task: deepcopy(reader.tokenizer) for task, reader in readers.items()}
        tasks = {id(reader): task for task, reader in readers.items()}.values()
        self.mates = max((self._ask(model, task) for task in tasks), key=list(BatchMates).index)
        chosen = _chosen(model, "document")
        unused = [name for name in _PROMPT_NAMES["document"] if model.prompts.get(name) and name != chosen]
        if unused and self.prompt is None:
            logger.warning(
                "encoder %s: its prompt %r is for rows of the pool, and the library puts %r before them",
                self.model_name, unused[0], chosen,
            )  # fmt: skip
        self._model = model

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        self._task = "query"
        try:
            return self.encode(texts)
        finally:
            self._task = "document"

    def _ask(self, model: Any, task: str) -> BatchMates:
        reader, tokenizer = _reader(model, task), self._tokenizers[task]
        transformer: Any = getattr(reader, "auto_model", None)
        if transformer is None:  # A table of words.
            return BatchMates.ANY
        # The library does not say whether weights were missing. Once more, without their values.
        folder = _folder(self.model_name, task)
        place = folder if Path(folder, "config.json").is_file() else transformer.name_or_path
        load_pretrained(type(transformer), place, may_lack=is_pooler, device_map="meta")

        def read(token_ids: torch.Tensor, mask: torch.Tensor) -> List[torch.Tensor]:
            features = {"input_ids": token_ids, "attention_mask": mask.long()}
            return list(model(features, task=task)["sentence_embedding"])

        length = reader.max_seq_length or 512
        sample = tokenizer(SAMPLE, truncation=True, max_length=length)["input_ids"]
        name, pad_id = f"encoder {self.model_name}", tokenizer.pad_token_id
        return batch_mates(name, model, transformer.config, read, sample, length, pad_id)

    def tokenize(self, texts: List[str]) -> TokenIdLists:
        """For their lengths: the library tokenises for itself."""
        tokenizer = self._tokenizers[self._task]
        if not _is_tokenizer(tokenizer):  # A table of words reads any length.
            return [list(text.encode()) for text in texts]
        stored = self._model.prompts.get(_chosen(self._model, self._task)) or ""
        prompt = stored if self.prompt is None else self.prompt
        length = _reader(self._model, self._task).max_seq_length
        return self.cut_to(length, tokenizer, [prompt + text for text in texts])

    def embed_batch(self, texts: List[str], token_ids: TokenIdLists) -> torch.Tensor:
        encode = self._model.encode_query if self._task == "query" else self._model.encode_document
        vectors = encode(
            texts, prompt=self.prompt, batch_size=len(texts), show_progress_bar=False, convert_to_tensor=True
        )
        return vectors.float().cpu()


def _reader(model: Any, task: str) -> Any:
    """The module that reads texts for a task: of a model with a part for each, that part's first."""
    parts = getattr(model[0], "sub_modules", {})
    return parts[task][0] if task in parts else model[0]


def _chosen(model: Any, task: str) -> Optional[str]:
    """The name of the stored prompt that the library puts before texts for a task."""
    return next((name for name in _PROMPT_NAMES[task] if name in model.prompts), model.default_prompt_name)


def _folder(model_name: str, task: str) -> str:
    """Where the files of that module are."""
    try:
        listed = Path(str(cached_file(model_name, "modules.json")))
        first = listed.parent / json.loads(listed.read_text(encoding="utf-8"))[0]["path"]
    except (OSError, ValueError):  # A plain model of transformers.
        return model_name
    router = first / "router_config.json"
    parts = json.loads(router.read_text(encoding="utf-8"))["structure"] if router.is_file() else {}
    return str(first / parts[task][0] if task in parts else first)


def _is_tokenizer(tokenizer: Any) -> bool:
    """Whether it is one of transformers, which cuts and pads."""
    return isinstance(tokenizer, PreTrainedTokenizerBase)
