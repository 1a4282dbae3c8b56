"""Prompts and answer options to token ids, as the model's family expects them."""

import logging
from pathlib import Path
from typing import Any, List, Optional, Sequence

from allennlp.common.checks import ConfigurationError
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from attribution.common.pretrained import check_there
from attribution.data.languages import default_languages, known_languages, set_languages

logger = logging.getLogger(__name__)

TokenIdLists = List[List[int]]

_SENTINEL = "<extra_id_0>"


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
    extra_bos : `bool`, optional (default = `False`)
        For encoder-decoders such as BART: whether each text begins with the beginning-of-sequence token, written out
        (`<s> a text`, which becomes `<s> <s> a text </s>`).
    source_language, target_language : `str`, optional
        For encoder-decoders whose tokenizer writes a language beside each text, such as mBART, NLLB, M2M100 and PLBart:
        that of prompts and that of options, as the tokenizer names them (`src_lang` and `tgt_lang`: `en_XX`,
        `eng_Latn`, `en`, `java`). By default the tokenizer's own, which are logged with the first options.

    # Raises

    `ConfigurationError` if there is no tokenizer under that name, it has no token for `extra_bos`, or it does not know
    a language.
    """

    def __init__(
        self,
        model_name: str,
        end_of_sequence: bool = True,
        extra_bos: bool = False,
        source_language: Optional[str] = None,
        target_language: Optional[str] = None,
    ) -> None:
        self.encoder_decoder = bool(_load_config(model_name).is_encoder_decoder)
        self._tokenizer = load_tokenizer(model_name)
        self.end_of_sequence = end_of_sequence
        if self.encoder_decoder:
            self._tokenizer.truncation_side = "right"
        else:
            self._tokenizer.truncation_side = "left"
        if not self.encoder_decoder and (source_language is not None or target_language is not None):
            raise ConfigurationError(
                f"source_language, target_language: are for encoder-decoders; {model_name} is decoder-only, and its "
                "options continue the prompt"
            )
        set_languages(self._tokenizer, model_name, source_language, target_language)
        self._model_name = model_name
        self._language_ids = frozenset(getattr(self._tokenizer, "lang_code_to_id", {}).values())
        self.has_languages = bool(known_languages(self._tokenizer))
        """Whether a language is written beside each text."""
        self._unset_languages = self.has_languages and None in (source_language, target_language)
        # Some tokenizers (Marian's, mBART's) write targets in another way than inputs.
        kinds = (type(self._tokenizer), PreTrainedTokenizerFast)
        switches = {getattr(kind, "_switch_to_target_mode", None) for kind in kinds}
        self._own_targets = self.encoder_decoder and len(switches) > 1
        pad_id = self._tokenizer.pad_token_id
        self.pad_id: int = self._tokenizer.eos_token_id if pad_id is None else pad_id
        bos_id = self._tokenizer.bos_token_id
        self._start_id: int = self._tokenizer.eos_token_id if bos_id is None else bos_id
        if extra_bos and (bos_id is None or not self.encoder_decoder):
            raise ConfigurationError(
                f"extra_bos: is for encoder-decoders with a beginning-of-sequence token, such as BART, not {model_name}"
            )
        self._prefix = f"{self._tokenizer.bos_token} " if extra_bos else ""

    @property
    def sentinel(self) -> str:
        """The token that T5 was trained to begin with where a text is masked; empty where there is no such token."""
        known = self._tokenizer.convert_tokens_to_ids(_SENTINEL) not in (None, self._tokenizer.unk_token_id)
        return _SENTINEL if known else ""

    def prompts(self, texts: Sequence[str], max_length: int) -> TokenIdLists:
        """
        Each text's ids, at most `max_length`, the special tokens kept on truncation. A text without tokens is one
        start token: something has to predict the first token of an option.
        """
        return [ids or [self._start_id] for ids in self._encode(list(texts), max_length)]

    def options(self, texts: Sequence[str], max_length: int) -> TokenIdLists:
        """Each option's ids, at most `max_length`, the special tokens kept on truncation."""
        different = list(dict.fromkeys(texts))  # Rows of a task mostly share their options.
        ids = dict(zip(different, self._encode_options(different, max_length)))
        return [ids[text] for text in texts]

    def decode(self, token_ids: Sequence[int]) -> str:
        # M2M100's does not count its languages among the special tokens.
        texts = [number for number in token_ids if number not in self._language_ids]
        return self._tokenizer.decode(texts, skip_special_tokens=True).strip()

    def _encode_options(self, texts: List[str], max_length: int) -> TokenIdLists:
        if self._own_targets:
            if self._unset_languages:
                logger.info("%s: %s", self._model_name, default_languages(self._tokenizer, self._model_name))
                self._unset_languages = False
            texts = [self._prefix + text for text in texts]
            return self._tokenizer(text_target=texts, truncation=True, max_length=max_length)["input_ids"]
        if self.encoder_decoder:
            return self._encode(texts, max_length)
        ending = [self._tokenizer.eos_token_id] if self.end_of_sequence else []
        ids = self._tokenizer([" " + text for text in texts], add_special_tokens=False)["input_ids"]
        return [option[: max_length - len(ending)] + ending for option in ids]

    def _encode(self, texts: List[str], max_length: int) -> TokenIdLists:
        texts = [self._prefix + text for text in texts] if self._prefix else texts
        if not self._tokenizer.is_fast:
            return self._tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
        # The Rust tokenizer itself: `transformers` would also work out character offsets, for a quarter of the time.
        rust = self._tokenizer.backend_tokenizer
        rust.no_padding()
        rust.enable_truncation(max_length, direction=self._tokenizer.truncation_side)
        return [encoding.ids for encoding in rust.encode_batch_fast(texts)]


def load_tokenizer(model_name: str) -> Any:
    """
    The tokenizer of a hub id or a local folder.

    # Raises

    `ConfigurationError` if there is none.
    """
    check_there(model_name)
    # Not cached: cutting is a state of the tokenizer, and readers work side by side with their own lengths.
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_name)
        files = [*type(tokenizer).vocab_files_names.values(), "tokenizer.json"]
        if Path(model_name).is_dir() and not any((Path(model_name) / name).exists() for name in files):
            raise OSError(f"none of {', '.join(sorted(set(files)))}")  # transformers 5 makes one without a vocabulary.
        return tokenizer
    except Exception as error:  # Of a damaged file whatever goes wrong first, in Rust a bare `Exception`.
        raise ConfigurationError(
            f"model_name {model_name}: there is no tokenizer in it ({' '.join(str(error).split())}). "
            "Save one beside the model with tokenizer.save_pretrained(FOLDER)."
        ) from error


def _load_config(model_name: str) -> Any:
    check_there(model_name)
    try:
        return AutoConfig.from_pretrained(model_name)
    except Exception as error:  # As above.
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"model_name {model_name}: no model configuration there ({reason})") from error
