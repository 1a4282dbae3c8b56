"""The languages that some tokenizers (mBART's, NLLB's, M2M100's, PLBart's) write as a token beside each text."""

from difflib import get_close_matches
from typing import Any, List, Optional

from allennlp.common.checks import ConfigurationError


def known_languages(tokenizer: Any) -> List[str]:
    """The languages that a tokenizer writes, as it names them itself; none for the many that write no language."""
    # FSMT's has a `src_lang` for its rules, too, which no text shows.
    if not hasattr(tokenizer, "set_src_lang_special_tokens"):
        return []
    codes = getattr(tokenizer, "lang_code_to_id", None)
    if codes:
        return list(codes)
    # NLLB's are the special tokens that have no name of their own, such as `pad_token`.
    named = [token for token in tokenizer.special_tokens_map.values() if isinstance(token, str)]
    return [token for token in tokenizer.all_special_tokens if token not in named]


def set_languages(tokenizer: Any, model_name: str, source: Optional[str], target: Optional[str]) -> None:
    """
    Sets the language of the texts and that of the targets, where given, and leaves the tokenizer ready for texts.

    # Raises

    `ConfigurationError` for a language that it does not know, and for any if it writes none.
    """
    known = known_languages(tokenizer)
    given = {"source_language": source, "target_language": target}
    for setting, language in given.items():
        if language is not None and not known:
            raise ConfigurationError(
                f"{setting} {language}: the tokenizer of {model_name} has no languages; leave {setting} out"
            )
    if not known:
        return
    default = tokenizer.src_lang
    if target is not None:
        tokenizer.tgt_lang = _code(tokenizer, model_name, "target_language", target, known)
    # Also without a setting: a tokenizer may have been saved, or starts, as it writes targets.
    tokenizer.src_lang = default if source is None else _code(tokenizer, model_name, "source_language", source, known)


def default_languages(tokenizer: Any, model_name: str) -> str:
    """
    What a tokenizer takes where a language is not set, for the log.

    # Raises

    `ConfigurationError` if it has no default for targets, as M2M100's, and most of transformers 4.
    """
    try:
        tokenizer(text_target="")  # Some decide on it only now.
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"model_name {model_name}: its tokenizer has no language for answer options by default; set "
            "target_language of the reader"
        ) from error
    return f"prompts are in {tokenizer.src_lang or 'none'}, options in {tokenizer.tgt_lang or 'none'}"


def _code(tokenizer: Any, model_name: str, setting: str, language: str, known: List[str]) -> str:
    """The language as the tokenizer names it: PLBart's knows `java` as `__java__`."""
    try:
        tokenizer.src_lang = language
        if tokenizer.src_lang in known:
            return tokenizer.src_lang
    except KeyError:
        pass  # Others take the unknown token for it, in silence.
    raise ConfigurationError(
        f"{setting} {language}: none of the {len(known)} languages of the tokenizer of {model_name}, such as "
        f"{', '.join(get_close_matches(language, known, n=5, cutoff=0.0))}"
    )
