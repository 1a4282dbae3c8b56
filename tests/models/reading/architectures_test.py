"""Each architecture as README.md's table says: its numbers equal a plain pass's, or it is refused when it is built."""

from pathlib import Path
from typing import List

import pytest
import transformers
from allennlp.common.checks import ConfigurationError

from tests.architectures import TRANSFORMERS_4
from tests.models.reading.matrix import (
    Architecture,
    NotBuilt,
    architectures,
    check_delta,
    documented,
    outcome,
)

SAMPLE = [
    ("causal_lm", "bart"),
    ("causal_lm", "gpt_neo"),
    ("causal_lm", "gemma3_text"),
    ("causal_lm", "llama4_text"),
    ("causal_lm", "lfm2"),
    ("causal_lm", "mistral"),
    ("causal_lm", "mamba"),
    ("causal_lm", "mpt"),
    ("causal_lm", "opt"),
    ("causal_lm", "reformer"),
    ("causal_lm", "roberta"),
    ("causal_lm", "xlnet"),
    ("seq2seq", "bigbird_pegasus"),
    ("seq2seq", "fsmt"),
    ("seq2seq", "m2m_100"),
    ("seq2seq", "mbart"),
    ("seq2seq", "switch_transformers"),
    ("seq2seq", "t5gemma"),
]
OTHERS = [architecture for architecture in architectures() if architecture not in SAMPLE]


def _as_documented(architecture: Architecture, folder: Path) -> None:
    if TRANSFORMERS_4:  # The table is of 5: an architecture may be read another way, or be refused; no number is wrong.
        try:
            outcome(architecture, folder)
        except NotBuilt as error:
            pytest.skip(f"transformers {transformers.__version__} does not build it: {error}")
        return
    ways = documented()
    assert architecture in ways, f"README.md's table lacks {architecture}: python -m tests.models.reading.matrix"
    assert outcome(architecture, folder) == ways[architecture]


@pytest.mark.parametrize("architecture", SAMPLE, ids=" ".join)
def test_a_sample(architecture: Architecture, tmp_path: Path) -> None:
    _as_documented(architecture, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", OTHERS, ids=" ".join)
def test_all_others(architecture: Architecture, tmp_path: Path) -> None:
    _as_documented(architecture, tmp_path)


DELTAS = {
    "lora": {"type": "lora", "r": 2},
    "ia3": {"type": "ia3"},
    "prefix": {"type": "prefix", "num_virtual_tokens": 5},
    "prompt": {"type": "prompt", "num_virtual_tokens": 5},
}


def _with_deltas(architecture: Architecture, folder: Path) -> List[str]:
    """Those that it takes."""
    taken = []
    for name, delta in DELTAS.items():
        try:
            check_delta(architecture, folder, delta)
            taken.append(name)
        except ConfigurationError as error:  # Which of them, and why, tests/modules/delta says.
            assert "cannot score options" not in str(error) or outcome(architecture, folder).startswith("refused")
    return taken


@pytest.mark.parametrize("architecture", [one for one in SAMPLE if one[1] in ("mistral", "mpt", "opt", "t5gemma")])
def test_a_sample_with_deltas(architecture: Architecture, tmp_path: Path) -> None:
    if architecture in architectures():
        assert _with_deltas(architecture, tmp_path) == list(DELTAS)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", architectures(), ids=" ".join)
def test_all_with_deltas(architecture: Architecture, tmp_path: Path) -> None:
    taken = _with_deltas(architecture, tmp_path)
    refused = not TRANSFORMERS_4 and documented()[architecture].startswith("refused")
    assert refused or {"lora", "ia3"} <= set(taken)
