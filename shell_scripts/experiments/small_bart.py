"""
A small BART with a pretrained encoder: `python shell_scripts/experiments/small_bart.py MINILM ROWS OUT`.

MINILM is the folder of a BERT (`.cache/demo/encoder` of `make demo`: all-MiniLM-L6-v2). BERT and BART have the same
post-norm blocks: every second one becomes a block of the encoder, exactly, and the first and the last one those of the
decoder, whose cross-attentions start from the weights of their self-attentions. The vocabulary is cut to the word
pieces that the prompted rows in ROWS (JSONL, or .jsonl.gz) use at least MIN_COUNT times, and single characters. What
comes out is no language model yet: its cross-attention has seen nothing. Train it on prompted rows (`base.jsonnet`).
"""

import argparse
import gzip
import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List

import torch
from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration, BertModel

MIN_COUNT = 100
POSITIONS = 256
BLOCKS = {"encoder": (0, 2, 4), "decoder": (0, 5)}

BERT_TO_BART = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "output.LayerNorm": "final_layer_norm",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minilm", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    if (args.out / "config.json").is_file():
        return
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer: Any = AutoTokenizer.from_pretrained(args.minilm)
    kept = kept_pieces(tokenizer, args.rows)
    (args.out / "vocab.txt").write_text("".join(f"{piece}\n" for piece in kept), encoding="utf-8")
    small = type(tokenizer)(
        str(args.out / "vocab.txt"), bos_token="[CLS]", eos_token="[SEP]", model_max_length=POSITIONS
    )
    small.save_pretrained(args.out)
    torch.manual_seed(0)
    bert = BertModel.from_pretrained(args.minilm, add_pooling_layer=False)
    ids = [tokenizer.convert_tokens_to_ids(piece) for piece in small.convert_ids_to_tokens(range(len(small)))]
    bart = to_bart(bert, ids, small.cls_token_id, small.sep_token_id, small.pad_token_id)
    check_encoder(bert, bart, ids)
    bart.save_pretrained(args.out)
    print(f"{args.out}: {len(ids):,} pieces, {bart.num_parameters() / 1e6:.1f} M parameters")


def texts(path: Path) -> Iterator[str]:
    """The inputs and targets of prompted rows."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["input"]
            yield row["target"]


def kept_pieces(tokenizer: Any, rows: Path) -> List[str]:
    """The special tokens, single characters, and pieces that the rows use, in the order of the whole vocabulary."""
    counts: Counter[int] = Counter()
    rust = tokenizer.backend_tokenizer
    rust.no_padding()
    rust.no_truncation()
    source = texts(rows)
    while block := list(islice(source, 4096)):
        for encoding in rust.encode_batch_fast(block):
            counts.update(encoding.ids)
    special = set(tokenizer.all_special_tokens)
    vocabulary: Dict[str, int] = tokenizer.get_vocab()
    return [
        piece
        for piece, number in sorted(vocabulary.items(), key=lambda item: item[1])
        if piece in special or len(piece.removeprefix("##")) == 1 or counts[number] >= MIN_COUNT
    ]


def to_bart(bert: BertModel, ids: List[int], start: int, end: int, pad: int) -> BartForConditionalGeneration:
    """BART from BERT's weights; `ids` are the pieces that are kept."""
    old = bert.config
    config = BartConfig(
        vocab_size=len(ids),
        d_model=old.hidden_size,
        encoder_layers=len(BLOCKS["encoder"]),
        decoder_layers=len(BLOCKS["decoder"]),
        encoder_attention_heads=old.num_attention_heads,
        decoder_attention_heads=old.num_attention_heads,
        encoder_ffn_dim=old.intermediate_size,
        decoder_ffn_dim=old.intermediate_size,
        max_position_embeddings=POSITIONS,
        dropout=old.hidden_dropout_prob,
        attention_dropout=old.attention_probs_dropout_prob,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=pad,
        decoder_start_token_id=end,
        forced_eos_token_id=None,
    )
    bart = BartForConditionalGeneration(config)
    bart.generation_config.forced_eos_token_id = None
    state = bart.state_dict()
    weights = bert.state_dict()
    embeddings = {
        "shared.weight": weights["embeddings.word_embeddings.weight"][ids],
        # BART's positions begin at 2. A lone text has BERT's first kind of token throughout.
        "embed_positions.weight": torch.cat(
            [
                torch.zeros(2, old.hidden_size),
                weights["embeddings.position_embeddings.weight"][:POSITIONS]
                + weights["embeddings.token_type_embeddings.weight"][0],
            ]
        ),
        "layernorm_embedding.weight": weights["embeddings.LayerNorm.weight"],
        "layernorm_embedding.bias": weights["embeddings.LayerNorm.bias"],
    }
    state["model.shared.weight"].copy_(embeddings.pop("shared.weight"))
    for half, sources in BLOCKS.items():
        for name, value in embeddings.items():
            state[f"model.{half}.{name}"].copy_(value)
        for layer, source in enumerate(sources):
            for theirs, ours in BERT_TO_BART.items():
                for kind in ("weight", "bias"):
                    value = weights[f"encoder.layer.{source}.{theirs}.{kind}"]
                    state[f"model.{half}.layers.{layer}.{ours}.{kind}"].copy_(value)
                    if half == "decoder" and "self_attn" in ours:
                        cross = ours.replace("self_attn", "encoder_attn")
                        state[f"model.decoder.layers.{layer}.{cross}.{kind}"].copy_(value)
    return bart.eval()


def check_encoder(bert: BertModel, bart: BartForConditionalGeneration, ids: List[int]) -> None:
    """The two encoders say the same of the same pieces, with the same blocks."""
    bert.encoder.layer = torch.nn.ModuleList([bert.encoder.layer[number] for number in BLOCKS["encoder"]])
    for module in bert.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5  # BART's
    pieces = torch.arange(5, 105) % len(ids)
    with torch.no_grad():
        theirs = bert.eval()(torch.tensor(ids)[pieces][None]).last_hidden_state
        ours = bart.model.encoder(pieces[None]).last_hidden_state
    difference = (theirs - ours).abs().max().item()
    if difference > 1e-4:
        raise SystemExit(f"the encoders differ by {difference}")


if __name__ == "__main__":
    main()
