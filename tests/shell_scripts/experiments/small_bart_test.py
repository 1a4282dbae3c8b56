import json
import subprocess
import sys
from pathlib import Path
from typing import Callable

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BertConfig, BertModel

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "shell_scripts" / "experiments" / "small_bart.py"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "##a", "the", "cat", "dog"]


def test_a_bart_whose_encoder_is_the_bert(write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 6, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(PIECES), **sizes)).save_pretrained(tmp_path / "bert")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (tmp_path / "bert" / "tokenizer_config.json").write_text(json.dumps(settings))
    rows = write_jsonl("rows.jsonl", [{"input": "the cat", "target": "cat"}] * 100 + [{"input": "dog", "target": "a"}])
    command = [sys.executable, str(SCRIPT), str(tmp_path / "bert"), rows, str(tmp_path / "bart")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "bart")
    # Pieces that are rare are spelled, and the encoders were compared by the script.
    assert tokenizer.tokenize("the cat dog") == ["the", "cat", "[UNK]"] and "dog" not in tokenizer.get_vocab()
    bart = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "bart")
    assert bart.config.encoder_layers == 3 and bart.config.decoder_start_token_id == tokenizer.sep_token_id
    assert bart(**tokenizer("the cat", return_tensors="pt", return_token_type_ids=False)).logits.isfinite().all()
