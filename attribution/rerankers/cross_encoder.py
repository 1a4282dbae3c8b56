"""A sequence classifier that reads query and row together."""

import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.models.archival import load_archive

from attribution.common.engines import Engine, InProcessEngine
from attribution.common.manifest import Identity, fingerprint
from attribution.common.pretrained import learned_positions, model_identity
from attribution.data.fields import pad_token_ids
from attribution.data.pair_tokenizer import EncodedPairs, PairTokenizer
from attribution.encoders.batched import batches_of_similar_length
from attribution.models.pair_classifier import PairClassifier, classifier_mates, load_classifier, pair_logits
from attribution.rerankers.first_token import compute_first_token_only
from attribution.rerankers.reranker import Reranker
from attribution.rerankers.score_cache import Pair, ScoreCache, in_windows, pair_key

logger = logging.getLogger(__name__)

_WINDOW = 2048  # Pairs that are tokenised and sorted by length together.
_ARCHIVE = "model.tar.gz"


class _Scored(NamedTuple):
    scores: np.ndarray
    cut: int


@Reranker.register("cross_encoder")
class CrossEncoderReranker(Reranker):
    """
    The logit of the label 1 of a sequence classifier, of each pair of a query's input and a row's input, in this order;
    ReCross's reranker is such a RoBERTa-base (Lin et al., 2022, https://arxiv.org/abs/2204.07937). Pairs are sorted by
    length in windows, batches are filled to a budget of padded tokens, and equal pairs are scored once.

    Registered as a `Reranker` with name "cross_encoder".

    # Parameters

    model : `str`
        A hub id or a local folder of any sequence classifier, or the archive of a `pair_classifier` (`model.tar.gz`, or
        the directory that has it).
    size : `int`
        How many rows to keep.
    upsampling : `float`, optional (default = `2.0`)
        The first `size` times so many rows are looked at.
    max_queries : `int`, optional
        Only the first so many queries count; by default all.
    aggregation : `str`, optional (default = `"mean"`)
        From a row's scores with the queries to its own: `mean`, `max` or `softmax`, as `Reranker` says.
    positive_label : `int`, optional
        Which logit is the score: by default that of a single-logit head, and number 1 of two.
    max_length : `int`, optional
        Tokens of a pair; of a longer one the longer text is cut. By default what the archive was trained with, or 512.
    lower_case : `bool`, optional
        Lower-case the texts first. By default what the archive was trained with, or not.
    max_tokens : `int`, optional (default = `2048` on a CPU, `32768` on a GPU)
        Padded tokens per batch. Changes speed and memory only.
    bf16 : `bool`, optional (default = `False`)
        Compute in bfloat16 where there is a GPU.
    cache : `str`, optional
        A folder to keep scores in for the next reranking with the same model. Its pairs are then not scored again: in
        other batches their last digits could differ.
    """

    def __init__(
        self,
        model: str,
        size: int,
        upsampling: float = 2.0,
        max_queries: Optional[int] = None,
        aggregation: str = "mean",
        positive_label: Optional[int] = None,
        max_length: Optional[int] = None,
        lower_case: Optional[bool] = None,
        max_tokens: Optional[int] = None,
        bf16: bool = False,
        cache: Optional[str] = None,
    ) -> None:
        super().__init__(size, upsampling, max_queries, aggregation)
        if max_tokens is not None and max_tokens < 1:
            raise ConfigurationError(f"cross_encoder: max_tokens is {max_tokens}; at least one is needed")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model
        self.positive_label = positive_label
        self.max_length = max_length
        self.lower_case = lower_case
        self.max_tokens = max_tokens or (2048 if self.device.type == "cpu" else 32768)
        self.bf16 = bf16 and self.device.type == "cuda"
        self.cache = cache
        self._transformer: Any = None
        self._tokenizer: Any = None

    def identity(self) -> Identity:
        archive = _archive(self.model)
        model = model_identity(self.model) if archive is None else {"archive": fingerprint(archive)["sha256"]}
        settings = ("positive_label", "max_length", "lower_case", "bf16")
        return {"model": model, **{setting: getattr(self, setting) for setting in settings}}

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_transformer": None, "_tokenizer": None}

    def score(
        self,
        queries: Sequence[str],
        texts: Sequence[str],
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> np.ndarray:
        pairs = {pair_key(pair): pair for pair in ((query, text) for query in queries for text in texts)}
        cache = None if self.cache is None else ScoreCache(Path(self.cache), self.identity())
        known = {} if cache is None else cache.read()
        missing = [key for key in pairs if key not in known]
        cut = 0

        def score(windows: Iterable[Sequence[Pair]]) -> Iterable[np.ndarray]:
            nonlocal cut
            for part in (engine or InProcessEngine()).map(self.score_window, windows):
                cut += part.cut
                progress.update(len(part.scores))
                yield part.scores

        with tempfile.TemporaryDirectory() as beside, Tqdm.tqdm(total=len(missing), desc="reranking") as progress:
            folder = scratch or Path(beside)
            path = folder / f"{hashlib.sha256(b''.join(missing)).hexdigest()[:16]}.pairs"
            scores = in_windows([pairs[key] for key in missing], path, _WINDOW, score)
        if cache is not None:
            cache.add(missing, scores)
        known.update(zip(missing, scores.tolist()))
        keys = [pair_key((query, text)) for query in queries for text in texts]
        found = np.array([known[key] for key in keys], dtype=np.float32)
        if cut:
            logger.warning("%s: %d of %d pairs are longer than it reads, and were cut", self.model, cut, len(missing))
        return found.reshape(len(queries), len(texts))

    @torch.inference_mode()
    def score_window(self, pairs: Sequence[Pair]) -> _Scored:
        """The scores of some pairs, in their order. Shape: (pairs,)."""
        self.load()
        encoded = self._tokenizer([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        scores = np.empty(len(pairs), dtype=np.float32)
        for batch in batches_of_similar_length([len(ids) for ids in encoded.ids], self.max_tokens, self._mates):
            scores[batch] = self._score_batch(encoded, batch).cpu().numpy()
        return _Scored(scores, encoded.cut)

    def load(self) -> None:
        """
        Loads model and tokenizer, if they are not there yet.

        # Raises

        `ConfigurationError` if the tokenizer is another model's, or it is not clear which logit is the score.
        """
        if self._transformer is not None:
            return
        archive = _archive(self.model)
        transformer, name, reader = _from_folder(self.model) if archive is None else _from_archive(archive)
        length = self.max_length or reader.get("max_length", 512)
        length = min(length, learned_positions(transformer) or length)
        lower_case = reader.get("lower_case", False) if self.lower_case is None else self.lower_case
        self._tokenizer = PairTokenizer(name, length, lower_case)
        tokens, rows = max(self._tokenizer.vocabulary.values()) + 1, transformer.get_input_embeddings().weight.size(0)
        if tokens > rows:
            raise ConfigurationError(
                f"cross_encoder {self.model}: its tokenizer has {tokens} tokens, the model {rows}; it was trained for "
                "another tokenizer"
            )
        logits = transformer.config.num_labels
        if self.positive_label is None and logits > 2:
            raise ConfigurationError(f"cross_encoder {self.model}: has {logits} labels; set positive_label to one")
        self._label = logits - 1 if self.positive_label is None else self.positive_label
        if not 0 <= self._label < logits:
            raise ConfigurationError(f"cross_encoder {self.model}: has {logits} labels; positive_label {self._label}")
        transformer = transformer.to(self.device).eval()
        self._mates = classifier_mates(self.model, transformer)
        compute_first_token_only(transformer)
        self._transformer = transformer.bfloat16() if self.bf16 else transformer

    def _score_batch(self, encoded: EncodedPairs, batch: List[int]) -> torch.Tensor:
        """Shape: (batch,)."""

        def padded(ids: Sequence[List[int]], pad_id: int) -> Dict[str, torch.Tensor]:
            texts = pad_token_ids([ids[place] for place in batch], pad_id)
            return {name: tensor.to(self.device, non_blocking=True) for name, tensor in texts.items()}

        segments = None if encoded.segments is None else padded(encoded.segments, 0)
        return pair_logits(self._transformer, padded(encoded.ids, self._tokenizer.pad_id), segments)[:, self._label]


def _archive(model: str) -> Optional[Path]:
    """The archive that a training left, if that is what `model` names."""
    path = Path(model)
    if (path / _ARCHIVE).is_file():
        return path / _ARCHIVE
    return path if model.endswith(".tar.gz") and path.is_file() else None


def _from_folder(model_name: str) -> Tuple[Any, str, Dict[str, Any]]:
    return load_classifier(model_name), model_name, {}


def _from_archive(path: Path) -> Tuple[Any, str, Dict[str, Any]]:
    """Of a `pair_classifier` the classifier, the name of its tokenizer's model, and its reader's settings."""
    archive = load_archive(path)
    model: Any = archive.model
    if not isinstance(model, PairClassifier):
        raise ConfigurationError(
            f"cross_encoder {path}: a {type(model).__name__} scores no pairs; train a pair_classifier"
        )
    reader = archive.config["dataset_reader"].as_dict(quiet=True)
    name = reader["model_name"]
    if name != model.model_name and _vocabulary(name) != _vocabulary(model.model_name):
        raise ConfigurationError(
            f"cross_encoder {path}: trained for another tokenizer: {name} read its pairs, the model is "
            f"{model.model_name}"
        )
    return model.transformer, name, reader


def _vocabulary(model_name: str) -> Dict[str, int]:
    return PairTokenizer(model_name, 512, False).vocabulary
