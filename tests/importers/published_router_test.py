"""Each router, against the published program's formulas by hand."""

from typing import List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.importers.published_router import read_router
from attribution.modules.moe import Router
from tests.importers.published_mixtures import EXPERTS, HIDDEN, KINDS, SIZE, PublishedRouter

LAYERS = 5


def _equal(kind: str, routed: List[int]) -> None:
    torch.manual_seed(2)
    published = PublishedRouter(kind, LAYERS).eval()
    found = read_router(published.state_dict(), LAYERS, routed)
    router = Router.from_params(Params(found.settings), layers=len(routed), experts=EXPERTS, input_size=SIZE).eval()
    router.load_state_dict(found.state)
    vectors = torch.randn(3, SIZE)
    with torch.no_grad():
        logits = router(vectors)
        for row, vector in enumerate(vectors):
            torch.testing.assert_close(logits[:, row], published(vector)[routed], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_logits(kind: str) -> None:
    _equal(kind, list(range(LAYERS)))


@pytest.mark.parametrize("kind", ["linear", "linear_layer_specific"])
def test_layers_without_experts(kind: str) -> None:
    _equal(kind, [1, 2, 4])


def test_what_is_not_known() -> None:
    with pytest.raises(ConfigurationError, match="its router, lstm, reads the 2 layers without experts, too"):
        read_router(PublishedRouter("lstm", LAYERS).state_dict(), LAYERS, [0, 1, 2])
    for state in ({"attention.weight": torch.ones(2)}, {"rnn.weight_hh_l0": torch.ones(2 * HIDDEN, HIDDEN)}):
        with pytest.raises(ConfigurationError, match=f"its router has {next(iter(state))}, and is none of arrow, gru,"):
            read_router(state, LAYERS, [0])
