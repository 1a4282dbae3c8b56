"""Prompts and answer options to token ids, as the model's family expects them."""

from functools import lru_cache
from pathlib import Path
from typing import Any, List, Sequence

from allennlp.common.checks import ConfigurationError

TokenIdLists = List[List[int]]


class PromptTokenizer:
    """
    A Hugging Face tokenizer, used in blocks of rows. For an encoder-decoder, prompts and options are encoded apart,
    each with its special tokens. For a decoder-only model an option continues the prompt: it begins with a space and
    has no special tokens but, when asked for, the end of the sequence; a prompt that is too long loses its beginning,
    since the question is at the end.

    # Parameters

    model_name : `str`
        A hub id or a local folder.
    end_of_sequence : `bool`, optional (default = `True`)
        Whether a decoder-only model's options end with the end-of-sequence token. Options are then scored as whole
        answers; without it a lone token can do.

    # Raises

    `ConfigurationError` if there is no tokenizer under that name.
    """

    def __init__(self, model_name: str, end_of_sequence: bool = True) -> None:
        self.encoder_decoder, self._tokenizer = _load(model_name)
        self.end_of_sequence = end_of_sequence
        if self.encoder_decoder:
            self._tokenizer.truncation_side = "right"
        else:
            self._tokenizer.truncation_side = "left"
        pad_id = self._tokenizer.pad_token_id
        self.pad_id: int = self._tokenizer.eos_token_id if pad_id is None else pad_id

    def prompts(self, texts: Sequence[str], max_length: int) -> TokenIdLists:
        """Each text's ids, at most `max_length`, the special tokens kept on truncation."""
        return self._encode(list(texts), max_length)

    def options(self, texts: Sequence[str], max_length: int) -> TokenIdLists:
        """Each option's ids, at most `max_length`, the special tokens kept on truncation."""
        if self.encoder_decoder:
            return self._encode(None, max_length, text_target=list(texts))
        ending = [self._tokenizer.eos_token_id] if self.end_of_sequence else []
        spaced = [" " + text for text in texts]
        ids = self._encode(spaced, None, add_special_tokens=False)
        return [option[: max_length - len(ending)] + ending for option in ids]

    def decode(self, token_ids: Sequence[int]) -> str:
        return self._tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    def _encode(self, texts: Any, max_length: Any, **kwargs: Any) -> TokenIdLists:
        return self._tokenizer(
            texts,
            truncation=max_length is not None,
            max_length=max_length,
            return_attention_mask=False,
            return_token_type_ids=False,
            **kwargs,
        )["input_ids"]


@lru_cache(maxsize=8)
def _load(model_name: str) -> Any:
    from transformers import AutoConfig, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(model_name)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"model_name {model_name}: no model configuration there ({error})") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_name)
        files = [*type(tokenizer).vocab_files_names.values(), "tokenizer.json"]
        if Path(model_name).is_dir() and not any((Path(model_name) / name).exists() for name in files):
            raise OSError(f"none of {', '.join(sorted(set(files)))}")  # transformers 5 makes one without a vocabulary.
        return config.is_encoder_decoder, tokenizer
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ConfigurationError(
            f"model_name {model_name}: there is no tokenizer in it ({error}). "
            "Save one beside the model with tokenizer.save_pretrained(FOLDER)."
        ) from error
