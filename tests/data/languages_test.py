"""Languages of tokenizers: each text as the tokenizer itself writes it with `src_lang` and `tgt_lang`."""

import io
import json
import logging
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, cast

import pytest
import sentencepiece
import transformers
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from transformers import (
    AutoTokenizer,
    M2M100Config,
    M2M100Tokenizer,
    MBart50Tokenizer,
    MBartConfig,
    MBartTokenizer,
    NllbTokenizer,
    PLBartConfig,
    PLBartTokenizer,
)

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.languages import known_languages
from attribution.data.prompt_tokenizer import PromptTokenizer

TEXTS = ["a good movie", "the cat sat on the mat", "no", "maybe it is a bad film"]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


class Kind(NamedTuple):
    """A kind of tokenizer with two of its languages."""

    source: str
    target: str
    fast: bool
    languages: int


KINDS = {
    "mbart": Kind("fr_XX", "de_DE", True, 25),
    "mbart50": Kind("fr_XX", "sl_SI", True, 52),
    "nllb": Kind("fra_Latn", "deu_Latn", True, 202),
    "m2m100": Kind("fr", "de", False, 100),
    "plbart": Kind("java", "en_XX", False, 3),
    "plbart_multi": Kind("__go__", "ruby", False, 7),
}


def _build(folder: Path) -> Dict[str, Any]:
    """Each kind with a vocabulary learnt from `TEXTS`, and its model's configuration."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 4), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    (folder / "pieces.model").write_bytes(model.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    scored = [(pieces.id_to_piece(place), pieces.get_score(place)) for place in range(pieces.get_piece_size())]
    fairseq = [(token, 0.0) for token in SPECIAL] + scored[3:]
    numbered = {token: place for place, (token, _) in enumerate(fairseq)}
    (folder / "numbered.json").write_text(json.dumps(numbered))
    file = str(folder / "pieces.model")
    others = {
        "m2m100": (M2M100Tokenizer(str(folder / "numbered.json"), file), M2M100Config()),
        "plbart": (PLBartTokenizer(file), PLBartConfig()),
        "plbart_multi": (PLBartTokenizer(file, language_codes="multi"), PLBartConfig()),
    }
    mbart, mbart50, nllb = cast(Any, (MBartTokenizer, MBart50Tokenizer, NllbTokenizer))
    if transformers.__version__.startswith("4."):  # There they are read from the file of pieces.
        tokenizers = mbart(file), mbart50(file), nllb(file)
    else:
        codes = [(code, 0.0) for code in known_languages(mbart())]
        tokenizers = (
            mbart(vocab=[*fairseq, *codes, ("<mask>", 0.0)]),
            mbart50(vocab=scored),
            nllb(vocab=numbered, merges=[]),
        )
    return {**dict(zip(KINDS, zip(tokenizers, (MBartConfig(), MBartConfig(), M2M100Config())))), **others}


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """name of a kind -> folder of its tokenizer and a model's configuration"""
    folder = tmp_path_factory.mktemp("multilingual")
    for name, (tokenizer, config) in _build(folder).items():
        tokenizer.save_pretrained(folder / name)
        config.save_pretrained(folder / name)
    return lambda name: str(folder / name)


def _with_languages(folder: str, source: str, target: str) -> Any:
    """transformers' own tokenizer. A target's language is given to PLBart's as it writes it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.src_lang = target
    tokenizer.tgt_lang = tokenizer.src_lang
    tokenizer.src_lang = source
    return tokenizer


@pytest.mark.parametrize("length", [99, 5])
@pytest.mark.parametrize("name", KINDS)
def test_as_the_tokenizer_itself(name: str, length: int, multilingual: Callable[[str], str]) -> None:
    kind = KINDS[name]
    folder = multilingual(name)
    theirs = _with_languages(folder, kind.source, kind.target)
    assert (theirs.is_fast, len(known_languages(theirs))) == (kind.fast, kind.languages)
    ours = PromptTokenizer(folder, source_language=kind.source, target_language=kind.target)
    options = [*TEXTS[::-1], TEXTS[1]]
    for _again in range(2):
        expected = theirs(TEXTS, text_target=options, truncation=True, max_length=length)
        assert ours.prompts(TEXTS, length) == expected["input_ids"]
        assert ours.options(options, length) == expected["labels"]
    # Each text has its language, also where it is cut.
    source, target = (
        set(theirs.convert_ids_to_tokens(ids)) & {language, f"__{language}__"}
        for language, ids in ((kind.source, expected["input_ids"][1]), (kind.target, expected["labels"][0]))
    )
    assert len(source) == len(target) == 1
    assert max(map(len, expected["input_ids"])) <= length


def test_readers_of_other_languages_beside_each_other(
    multilingual: Callable[[str], str], write_jsonl: Callable[..., str]
) -> None:
    rows = write_jsonl("rows.jsonl", [{"input": text, "target": "no"} for text in TEXTS])
    pairs = [("fr_XX", "de_DE"), ("de_DE", "fr_XX"), ("en_XX", "en_XX")]
    readers = [
        P3JsonlReader(multilingual("mbart"), source_language=source, target_language=target) for source, target in pairs
    ]
    number = AutoTokenizer.from_pretrained(multilingual("mbart")).convert_tokens_to_ids
    for instances in zip(*(reader.read(rows) for reader in readers)):
        for instance, (source, target) in zip(instances, pairs):
            assert instance["prompt_and_input"].human_readable_repr()[-1] == number(source)
            assert instance["answer_options"].human_readable_repr()[0][-1] == number(target)


READERS: List[Dict[str, Any]] = [
    {"type": "p3_jsonl"},
    {"type": "prompted_reader", "template": "{{input}}", "options": ["no"], "label_map": {"no": 0}},
    {"type": "ni_reader"},
    {"type": "p3_cluster", "p3_data_path": "p3"},
    {"type": "drop_reader"},
    {"type": "qasper_evidence_prompt"},
    {"type": "fewshot_gym"},
    {"type": "recross_triples"},
    {"type": "rte_reader"},
    {"type": "icl_reader", "reader_class_name": "rte_reader"},
]


@pytest.mark.parametrize("settings", READERS, ids=lambda settings: settings["type"])
def test_every_reader_has_the_settings(settings: Dict[str, Any], multilingual: Callable[[str], str]) -> None:
    languages = {"source_language": "fra_Latn", "target_language": "deu_Latn"}
    params = {**settings, "model_name": multilingual("nllb"), **languages}
    reader: Any = DatasetReader.from_params(Params(params))
    instance = reader.text_to_instance("a good movie", ["no"])
    theirs = _with_languages(multilingual("nllb"), "fra_Latn", "deu_Latn")("a good movie", text_target="no")
    assert instance["prompt_and_input"].human_readable_repr() == theirs["input_ids"]
    assert instance["answer_options"].human_readable_repr() == [theirs["labels"]]


# Without a target language transformers 4 has a traceback for these.
WITH_DEFAULTS = [] if transformers.__version__.startswith("4.") else ["mbart", "mbart50", "nllb"]


@pytest.mark.parametrize("name", [*WITH_DEFAULTS, "plbart", "plbart_multi"])
def test_defaults_are_the_tokenizers_own_and_logged_once(
    name: str, multilingual: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "attribution")
    ours = PromptTokenizer(multilingual(name))
    assert not caplog.messages  # A model's tokenizer, which decodes, says nothing.
    theirs = AutoTokenizer.from_pretrained(multilingual(name))(TEXTS, text_target=TEXTS)
    for _again in range(2):
        assert ours.prompts(TEXTS, 99) == theirs["input_ids"]
        assert ours.options(TEXTS, 99) == theirs["labels"]
    [message] = caplog.messages
    source = {"nllb": "eng_Latn", "plbart": "none", "plbart_multi": "__en_XX__"}.get(name, "en_XX")
    target = "none" if name.startswith("plbart") else source
    assert message.endswith(f"{name}: prompts are in {source}, options in {target}")


def test_a_default_is_taken_for_what_is_not_set(
    multilingual: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "attribution")
    theirs = AutoTokenizer.from_pretrained(multilingual("nllb"), tgt_lang="deu_Latn")("no", text_target="no")
    ours = PromptTokenizer(multilingual("nllb"), target_language="deu_Latn")
    assert [ours.prompts(["no"], 9), ours.options(["no"], 9)] == [[theirs["input_ids"]], [theirs["labels"]]]
    assert caplog.messages[0].endswith("prompts are in eng_Latn, options in deu_Latn")
    PromptTokenizer(multilingual("nllb"), source_language="fra_Latn", target_language="deu_Latn").options(["no"], 9)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("name", [name for name in KINDS if name not in WITH_DEFAULTS and "plbart" not in name])
def test_no_target_language_by_default(name: str, multilingual: Callable[[str], str]) -> None:
    tokenizer = PromptTokenizer(multilingual(name), source_language=KINDS[name].source)
    assert tokenizer.prompts(["no"], 9)  # An answer is decoded without languages, too.
    for _again in range(2):
        with pytest.raises(ConfigurationError, match="no language for answer options by default; set target_language"):
            tokenizer.options(["no"], 9)


@pytest.mark.parametrize("language", ["fr_FR", "<s>", "no", "", "EN"])
@pytest.mark.parametrize("name", KINDS)
def test_an_unknown_language(name: str, language: str, multilingual: Callable[[str], str]) -> None:
    for setting in ("source_language", "target_language"):
        if (name, language) == ("m2m100", "no"):
            continue  # Norwegian.
        with pytest.raises(ConfigurationError) as error:
            PromptTokenizer(multilingual(name), **{setting: language})
        message = str(error.value)
        assert message.startswith(f"{setting} {language}: none of the {KINDS[name].languages} languages")
        assert len(message.split("such as ")[1].split(", ")) == min(5, KINDS[name].languages)
    if language == "fr_FR" and name == "mbart":
        assert "fr_XX" in message


@pytest.mark.parametrize("setting", ["source_language", "target_language"])
def test_a_language_where_there_are_none(setting: str, tiny_model: Callable[[str], str]) -> None:
    for name in ("t5", "bart", "marian"):
        with pytest.raises(ConfigurationError, match=f"{setting} en_XX: .*has no languages; leave {setting} out"):
            PromptTokenizer(tiny_model(name), **{setting: "en_XX"})
    with pytest.raises(ConfigurationError, match="are for encoder-decoders; .* is decoder-only"):
        PromptTokenizer(tiny_model("llama"), **{setting: "en_XX"})


@pytest.mark.parametrize("name", ["mbart", "nllb", "plbart"])
def test_the_first_token_twice_beside_a_language(name: str, multilingual: Callable[[str], str]) -> None:
    kind = KINDS[name]
    ours = PromptTokenizer(multilingual(name), extra_bos=True, source_language=kind.source, target_language=kind.target)
    theirs = _with_languages(multilingual(name), kind.source, kind.target)("<s> no", text_target="<s> no")
    assert ours.prompts(["no"], 9) == [theirs["input_ids"]] and theirs["input_ids"].count(0) == 1
    assert ours.options(["no"], 9) == [theirs["labels"]]


@pytest.mark.parametrize("name", KINDS)
def test_decoding_leaves_the_language_out(name: str, multilingual: Callable[[str], str]) -> None:
    kind = KINDS[name]
    ours = PromptTokenizer(multilingual(name), source_language=kind.source, target_language=kind.target)
    for ids in [*ours.prompts(TEXTS, 99), *ours.options(TEXTS, 99)]:
        assert PromptTokenizer(multilingual(name)).decode(ids) in TEXTS
