import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from attribution.encoders import TransformerEncoder
from attribution.modules.delta import DeltaModule

TEXTS = ["the cat sat on the mat", "good", "a bad film , was it ?", "red green blue", "", "one two three four"] * 4


def _ids(folder: str, text: str) -> torch.Tensor:
    return torch.tensor([AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=6).input_ids])


@torch.no_grad()
def _slow(folder: str, text: str) -> np.ndarray:
    """One text at a time through the whole model: no batch, no padding."""
    auto = AutoModelForSeq2SeqLM if "bert2bert" in folder else AutoModel
    model = auto.from_pretrained(folder).eval()
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return encoder(input_ids=_ids(folder, text)).last_hidden_state[0].mean(0).numpy()


@pytest.mark.parametrize("name", ["t5", "bart", "marian", "bert2bert", "bert", "llama"])
@pytest.mark.parametrize("max_tokens", [5, 64, 100_000])
def test_equals_one_text_at_a_time_in_order(name: str, max_tokens: int, tiny_model: Callable[[str], str]) -> None:
    texts = TEXTS if name != "marian" else [text for text in TEXTS if text]
    encoder = TransformerEncoder(tiny_model(name), max_length=6, max_tokens=max_tokens)
    vectors = encoder.encode(texts)
    assert vectors.dtype == np.float32 and vectors.shape == (len(texts), 16)
    for text, vector in zip(texts[:6], vectors):
        np.testing.assert_allclose(vector, _slow(tiny_model(name), text), atol=1e-5)


def test_over_windows_in_order(tiny_model: Callable[[str], str], monkeypatch: Any) -> None:
    whole = TransformerEncoder(tiny_model("t5"), normalize=True).encode(TEXTS)
    monkeypatch.setattr("attribution.encoders.batched._WINDOW", 5)
    windows = TransformerEncoder(tiny_model("t5"), normalize=True).encode(TEXTS)
    np.testing.assert_allclose(windows, whole, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(windows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("layer", [0, 1, 2, -1, -3])
def test_poolings_and_layers_by_hand(name: str, layer: int, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(name)
    with torch.no_grad():
        output = AutoModel.from_pretrained(folder).eval()(_ids(folder, TEXTS[0]), output_hidden_states=True)
    states = (output.last_hidden_state if layer == -1 else output.hidden_states[layer])[0].numpy()
    place = np.arange(1, 7)[:, None]
    wanted = {
        "mean": states.mean(0),
        "weighted_mean": (states * place).sum(0) / 21,
        "first": states[0],
        "last": states[-1],
        "max": states.max(0),
    }
    for pooling, vector in wanted.items():
        encoder = TransformerEncoder(folder, max_length=6, pooling=pooling, layer=layer)
        np.testing.assert_allclose(encoder.encode(["good", TEXTS[0]])[1], vector, atol=1e-5)


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_both_halves(name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(name)
    vectors = TransformerEncoder(folder, max_length=6, part="encoder_decoder").encode(TEXTS[:3])
    ids = _ids(folder, TEXTS[0])
    model = AutoModel.from_pretrained(folder).eval()
    shifted = torch.cat([torch.tensor([[model.config.decoder_start_token_id]]), ids[:, :-1]], dim=1)
    with torch.no_grad():
        decoder = model(input_ids=ids, decoder_input_ids=shifted).last_hidden_state[0].mean(0)
    assert vectors.shape == (3, 32)
    np.testing.assert_allclose(vectors[0, :16], _slow(folder, TEXTS[0]), atol=1e-5)
    np.testing.assert_allclose(vectors[0, 16:], decoder, atol=1e-5)


def test_a_further_token_before_each_text(tiny_model: Callable[[str], str]) -> None:
    plain, further = (TransformerEncoder(tiny_model("bart"), max_length=6, extra_bos=flag) for flag in (False, True))
    texts = ["the cat sat on the mat", "good"]
    np.testing.assert_allclose(
        further.encode(texts), np.stack([_slow(tiny_model("bart"), f"<s> {text}") for text in texts]), atol=1e-5
    )
    assert np.abs(further.encode(texts) - plain.encode(texts)).max() > 0.01
    assert further.identity == {**plain.identity, "extra_bos": True} and "extra_bos" not in plain.identity
    with pytest.raises(ConfigurationError, match="extra_bos is for texts"):
        further.encode_words([["a", "word"]])


def test_of_t5_the_encoder_alone_is_built(tiny_model: Callable[[str], str]) -> None:
    encoder = TransformerEncoder(tiny_model("t5"))
    encoder.load()
    assert type(encoder._model).__name__ == "T5EncoderModel"


@pytest.mark.parametrize("name", ["bart", "marian", "bert2bert"])
def test_decoder_layers_are_never_built(
    name: str, tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    class Spy:
        @staticmethod
        def from_pretrained(*arguments: Any, **settings: Any) -> Any:
            auto = AutoModelForSeq2SeqLM if name == "bert2bert" else AutoModel
            loaded.append(auto.from_pretrained(*arguments, **settings))
            return loaded[-1]

    for auto in ("AutoModel", "AutoModelForSeq2SeqLM"):
        monkeypatch.setattr(f"attribution.encoders.transformer.{auto}", Spy)
    TransformerEncoder(tiny_model(name)).load()
    names = [name for name, _ in loaded[0][0].named_parameters()]
    layers = [name for name in names if ".layer." in name or ".layers." in name or ".block." in name]
    assert layers and all(name.startswith("encoder.") for name in layers)


def test_texts_are_cut_where_the_positions_end(tiny_model: Callable[[str], str]) -> None:
    encoder = TransformerEncoder(tiny_model("bert"))
    np.testing.assert_allclose(encoder.encode(["good " * 62]), encoder.encode(["good " * 80]), atol=1e-6)


def test_mistakes(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="model_name /nowhere: no such folder"):
        TransformerEncoder("/nowhere").encode(["good"])
    folder = Path(shutil.copytree(tiny_model("bert"), tmp_path / "bert"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ConfigurationError, match="bert: cannot be loaded as a bert model"):
        TransformerEncoder(str(folder)).encode(["good"])
    for file in folder.glob("token*"):
        file.unlink()
    with pytest.raises(ConfigurationError, match="bert: there is no tokenizer in it"):
        TransformerEncoder(str(folder)).encode(["good"])
    with pytest.raises(ConfigurationError, match="pooling 'median' is none of mean, weighted_mean"):
        TransformerEncoder("any", pooling="median")
    with pytest.raises(ConfigurationError, match="part 'head' is none of"):
        TransformerEncoder("any", part="head")
    with pytest.raises(ConfigurationError, match="has 2 layers; layer is 3"):
        TransformerEncoder(tiny_model("bert"), layer=3).encode(["good"])
    with pytest.raises(ConfigurationError, match="needs an encoder-decoder"):
        TransformerEncoder(tiny_model("bert"), part="encoder_decoder").encode(["good"])


def test_texts_that_are_cut_are_counted(tiny_model: Callable[[str], str]) -> None:
    encoder = TransformerEncoder(tiny_model("t5"), max_length=4)
    encoder.encode(["a film", "the film was good", "one two three", "one two three four five"])
    assert encoder.texts_cut == 2
    with pytest.raises(ConfigurationError, match="max_length is 1; no token of a text fits"):
        TransformerEncoder(tiny_model("t5"), max_length=1).encode(["a film"])


@pytest.mark.parametrize("name, method", [("bart", "lora"), ("t5", "houlsby"), ("llama", "lora")])
def test_with_a_delta_in_it(name: str, method: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder, causal = tiny_model(name), name == "llama"
    auto = AutoModelForCausalLM if causal else AutoModelForSeq2SeqLM
    tuned = auto.from_pretrained(folder).eval()
    delta: Any = DeltaModule.by_name(method)()
    delta.inject(tuned)
    with torch.no_grad():
        for weight in delta.tensors(tuned).values():
            weight.add_(torch.ones_like(weight))
        delta.save(tuned, tmp_path / "delta", folder)
        reads = tuned.model if causal else tuned.get_encoder()
        wanted = [reads(input_ids=_ids(folder, text)).last_hidden_state[0].mean(0).numpy() for text in TEXTS[:3]]
    encoder = TransformerEncoder(folder, max_length=6, delta=str(tmp_path / "delta"))
    np.testing.assert_allclose(encoder.encode(TEXTS[:3]), wanted, atol=1e-5)
    plain = TransformerEncoder(folder, max_length=6)
    assert np.abs(plain.encode(TEXTS[:3]) - wanted).max() > 1e-3
    assert encoder.identity["delta"] and "delta" not in plain.identity


def test_a_prompt_is_no_encoder(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5"))
    delta: Any = DeltaModule.by_name("prompt")(num_virtual_tokens=2)
    delta.inject(model)
    delta.save(model, tmp_path, tiny_model("t5"))
    with pytest.raises(ConfigurationError, match="the prompt in .* among a text's own tokens"):
        TransformerEncoder(tiny_model("t5"), delta=str(tmp_path)).encode(["good"])


SENTENCES = [["the", "cat", "sat"], ["good"], ["a", "bad", "film", "was", "this", "and", "that"]]


@pytest.mark.parametrize(
    "name, part", [("bert", "encoder"), ("t5", "encoder"), ("gpt2", "encoder"), ("bart", "decoder")]
)
@pytest.mark.parametrize("layer", [-1, 1])
def test_words_one_sentence_at_a_time(name: str, part: str, layer: int, tiny_model: Callable[[str], str]) -> None:
    """Of the last sentence the end is cut; a special token, which stands there, is nobody's."""
    folder = tiny_model(name)
    encoder = TransformerEncoder(folder, max_length=6, layer=layer, part=part, pooling="last", max_tokens=12)
    vectors = encoder.encode_words(SENTENCES)
    assert vectors.dtype == np.float32 and vectors.shape == (11, 16)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    special = tokenizer.num_special_tokens_to_add()
    wanted = []
    for words in SENTENCES:
        ids = tokenizer(" ".join(words), truncation=True, max_length=6, return_tensors="pt").input_ids
        inputs = {"input_ids": ids}
        if part == "decoder":
            inputs["decoder_input_ids"] = torch.tensor([[model.config.decoder_start_token_id, *ids[0, :-1]]])
        whole = model.get_encoder() if name == "t5" else model
        with torch.no_grad():
            output = whole(**inputs, output_hidden_states=True)
        hidden = output["decoder_hidden_states" if part == "decoder" else "hidden_states"]
        states = (output.last_hidden_state if layer == -1 else hidden[layer])[0].numpy()
        begin = int(ids[0, 0] == tokenizer.bos_token_id)
        read = min(len(words), 6 - special)
        wanted += [states[begin + place] for place in range(read)] + [np.zeros(16)] * (len(words) - read)
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    assert encoder.texts_cut == 1 + special


def test_words_of_several_pieces_are_pooled(tiny_model: Callable[[str], str]) -> None:
    words = ["the:cat", "sat", "good:bad.red"]  # Three, one and five pieces.
    pooled = {
        pooling: TransformerEncoder(tiny_model("bert"), pooling=pooling, max_tokens=3).encode_words([words])
        for pooling in ("first", "last", "mean")
    }
    with torch.no_grad():
        ids = torch.tensor([AutoTokenizer.from_pretrained(tiny_model("bert"))(" ".join(words)).input_ids])
        states = AutoModel.from_pretrained(tiny_model("bert")).eval()(input_ids=ids).last_hidden_state[0, 1:-1].numpy()
    np.testing.assert_allclose(pooled["first"], states[[0, 3, 4]], atol=1e-5)
    np.testing.assert_allclose(pooled["last"], states[[2, 3, 8]], atol=1e-5)
    np.testing.assert_allclose(pooled["mean"], [part.mean(0) for part in np.split(states, [3, 4])], atol=1e-5)


def test_words_need_room_and_a_decoder(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="max_length is 2; no word fits beside the special tokens"):
        TransformerEncoder(tiny_model("bert"), max_length=2).encode_words([["cat"]])
    with pytest.raises(ConfigurationError, match="part decoder needs an encoder-decoder"):
        TransformerEncoder(tiny_model("bert"), part="decoder").encode_words([["cat"]])
    with pytest.raises(ConfigurationError, match="part 'half' is none of encoder, decoder, encoder_decoder"):
        TransformerEncoder(tiny_model("bert"), part="half")
