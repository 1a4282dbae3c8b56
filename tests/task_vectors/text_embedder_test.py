from typing import Callable

import numpy as np

from attribution.encoders import TransformerEncoder
from attribution.task_vectors import TaskRows, TextEmbedder

INPUTS = ["the cat sat on the mat", "good", "a bad film , was it ?"]


def test_is_the_mean_of_texts_one_at_a_time(tiny_model: Callable[[str], str]) -> None:
    encoder = TransformerEncoder(tiny_model("bart"))
    wanted = np.mean([encoder.encode([text])[0] for text in INPUTS], axis=0)
    found = TextEmbedder(encoder).embed(TaskRows("rte", INPUTS, []), None)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
