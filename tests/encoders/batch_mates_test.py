"""No text's vector depends on the others in its batch: of every class of `transformers` that reads text, or refused."""

import random
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSequenceClassification, BertConfig, FNetConfig, LlamaConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

from attribution.encoders import TransformerEncoder
from attribution.encoders.batch_mates import BatchMates, batch_mates
from attribution.models.pair_classifier import classifier_mates, pair_logits
from tests.architectures import TRANSFORMERS_4, rope
from tests.conftest import _BERT, _SMALL, WORDS, _tokenizer
from tests.encoders.architectures import build, text_types

TOKENIZER = _tokenizer(["<s>"], ["</s>"])
_DRAW = random.Random(0)
# Before and beyond the windows, blocks and chunks of the tiny models; some of one length.
TEXTS = [" ".join(_DRAW.choices(WORDS, k=count)) for count in (2, 5, 5, 30, 30, 100, 4)]
MAX_LENGTH = 90

# Which are read in batches of equal length. All others are padded, but for the refused ones.
EQUAL_LENGTH = {
    "canine": "blocks of characters are read as one",
    "convbert": "convolutions read padding",
    "cpmant": "its places count padding",
    "fnet": "mixes all places, padding included",
    "funnel": "pools over neighbours",
    "mobilebert": "each token reads its neighbours",
    "nystromformer": "convolutions read padding",
    "sam3_lite_text_text_model": "convolutions read padding",
    "yoso": "convolutions read padding",
}

REFUSED = {
    "diffusion_gemma": "it gives a text another vector each time",
    "dpr": "this model gives no last_hidden_state",
    "mra": "its attention does nothing here",
    "reformer": "its attention hashes at random",
}

# Whose first layer is refused: several streams of states, or none given.
NO_LAYERS = ["deepseek_v4", "gemma3n_text", "glm5_next_text", "hy_v4", "sam3_lite_text_text_model"]

SAMPLE = ["bart", "bert", "big_bird", "canine", "fnet", "fsmt", "mistral", "mobilebert", "mra", "nystromformer"]
SAMPLE += ["pegasus_x", "t5gemma"]


@pytest.fixture(autouse=True)
def _tiny_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AutoTokenizer` would choose a class by the model type, which needs its own files."""
    monkeypatch.setattr("attribution.encoders.transformer.load_tokenizer", lambda folder: TOKENIZER)


@torch.no_grad()
def _plain(model: Any, text: str) -> np.ndarray:
    """The text alone through the model, without a mask. Shape: (dimension,)"""
    reads = model.get_encoder() if model.config.is_encoder_decoder else model
    ids = torch.tensor([TOKENIZER(text, truncation=True, max_length=MAX_LENGTH).input_ids])
    return reads(input_ids=ids).last_hidden_state[0].mean(0).numpy()


def _check(model_type: str, folder: Path) -> None:
    model, name = build(model_type, folder)
    model.config.use_cache = False
    seq2seq = model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES and model_type != "encoder-decoder"
    if model_type in REFUSED:
        with pytest.raises(ConfigurationError, match=REFUSED[model_type]):
            TransformerEncoder(name, MAX_LENGTH).encode(TEXTS)
        return
    plain = np.stack([_plain(model, text) for text in TEXTS])
    for part, layer in [("encoder", -1), ("encoder", 1)] + [("encoder_decoder", -1), ("decoder", 1)] * seq2seq:
        encoder = TransformerEncoder(name, MAX_LENGTH, part=part, layer=layer)
        if layer == 1 and model_type in NO_LAYERS:
            with pytest.raises(ConfigurationError, match="choose another layer"):
                encoder.encode(TEXTS)
            continue
        vectors = encoder.encode(TEXTS)
        alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
        scale = max(1.0, float(np.abs(alone).max()))
        np.testing.assert_allclose(vectors / scale, alone / scale, rtol=0, atol=1e-4)
        if layer == -1:
            wanted = BatchMates.EQUAL_LENGTH if model_type in EQUAL_LENGTH else BatchMates.ANY
            # Zamba-2 of transformers 4 counts places, too.
            assert encoder.mates is wanted or TRANSFORMERS_4 and encoder.mates is BatchMates.EQUAL_LENGTH
            np.testing.assert_allclose(alone[:, : plain.shape[1]] / scale, plain / scale, rtol=0, atol=1e-4)


@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_sample(model_type: str, tmp_path: Path) -> None:
    _check(model_type, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", text_types())
def test_every_architecture(model_type: str, tmp_path: Path) -> None:
    _check(model_type, tmp_path)


@pytest.mark.skipif(TRANSFORMERS_4, reason="the tables are of transformers 5")
def test_tables_name_what_there_is() -> None:
    assert set(text_types()) >= {*EQUAL_LENGTH, *REFUSED, *NO_LAYERS, *SAMPLE}


def test_words_are_read_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, name = build("fnet", tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    sentences = [text.split() for text in TEXTS]
    encoder = TransformerEncoder(name, MAX_LENGTH, layer=1)
    alone = np.concatenate([encoder.encode_words([words]) for words in sentences])
    np.testing.assert_allclose(encoder.encode_words(sentences), alone, atol=1e-5)


def test_what_came_before_does_not_count(tmp_path: Path) -> None:
    """BigBird's short texts switch its attention for good: it is never sparse here."""
    _, name = build("big_bird", tmp_path)
    first = TransformerEncoder(name, MAX_LENGTH).encode(TEXTS[5:6])
    encoder = TransformerEncoder(name, MAX_LENGTH)
    encoder.encode(TEXTS[:1])
    np.testing.assert_allclose(encoder.encode(TEXTS[5:6]), first, atol=1e-6)


_FACTORS = {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4}


@pytest.mark.parametrize(
    "model, settings",
    [
        ("llama", {**rope("dynamic", factor=2.0), "max_position_embeddings": 32}),
        ("phi3", {**rope("longrope", **_FACTORS), "original_max_position_embeddings": 32}),
    ],
)
def test_rotations_that_depend_on_length_need_equal_lengths(model: str, settings: Any, tmp_path: Path) -> None:
    _, name = build(model, tmp_path, **settings)
    encoder = TransformerEncoder(name, MAX_LENGTH)
    alone = np.concatenate([TransformerEncoder(name, MAX_LENGTH).encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1]), alone[::-1], atol=1e-5)
    assert encoder.mates is BatchMates.EQUAL_LENGTH
    encoder.mates = BatchMates.ANY
    assert np.abs(encoder.encode(TEXTS) - alone).max() > 1e-3
    short = TransformerEncoder(name, 32)
    short.load()
    assert short.mates is BatchMates.ANY


def test_experts_that_are_full_take_one_text_at_a_time(tmp_path: Path) -> None:
    _, name = build("nllb-moe", tmp_path, moe_eval_capacity_token_fraction=0.3)
    encoder = TransformerEncoder(name, MAX_LENGTH)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=1e-5)
    assert encoder.mates is BatchMates.NONE
    rooms = {layer.ffn.router.moe_eval_capacity_token_fraction for layer in encoder._model.layers}
    assert rooms == {0.3}


def test_asking_changes_no_random_state() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Dropout(0.5))
    draws: List[float] = []

    def read(token_ids: torch.Tensor, mask: torch.Tensor) -> List[torch.Tensor]:
        draws.extend([float(torch.rand(())), np.random.rand(), random.random()])
        return [states[own] for states, own in zip(model(token_ids), mask)]

    def after() -> List[float]:
        return [float(torch.rand(())), np.random.rand(), random.random()]

    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    assert batch_mates("a", model, None, read, [[1, 2], [3, 4, 5]], 9, 0) is BatchMates.ANY
    found = after()
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    assert draws and found == after() and model.training


@pytest.mark.parametrize("kind", ["bert", "fnet", "llama"])
def test_of_pairs(kind: str) -> None:
    """FNet mixes padding in; a classifier without a padding token, such as this Llama, reads one text at a time."""
    configs: Dict[str, Any] = {
        "bert": BertConfig(**_BERT),
        "fnet": FNetConfig(**{**_BERT, "pad_token_id": 0}),
        "llama": LlamaConfig(
            **{**_SMALL, "pad_token_id": None},
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
        ),
    }
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(configs[kind]).eval()
    mates = classifier_mates("any", model)
    assert mates is {"bert": BatchMates.ANY, "fnet": BatchMates.EQUAL_LENGTH, "llama": BatchMates.NONE}[kind]
    ids = torch.tensor([[3, 5, 7, 9, 11, 12], [3, 6, 12, 0, 0, 0], [4, 5, 7, 9, 11, 12], [7, 7, 12, 0, 0, 0]])
    pairs = {"token_ids": ids, "mask": ids != 0}
    with torch.no_grad():
        logits = pair_logits(model, pairs, None, mates)
        alone = [model(input_ids=row[row != 0][None]).logits[0] for row in ids]
    torch.testing.assert_close(logits, torch.stack(alone), atol=1e-5, rtol=0)
