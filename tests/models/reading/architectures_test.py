"""Each architecture as README.md's table says: its numbers equal a plain pass's, or it is refused when it is built."""

from pathlib import Path

import pytest
import transformers

from tests.architectures import TRANSFORMERS_4
from tests.models.reading.matrix import Architecture, NotBuilt, architectures, documented, outcome

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
