import json
from typing import Any

import torch

from attribution.predictors import RowSerializer


def test_a_line_for_each_example() -> None:
    batch = {"prompt_and_input": {"token_ids": torch.zeros(2, 3)}}
    outputs: Any = {"loss": torch.tensor(2.0), "response": [1, None], "row": [4, 7], "answer": ["nö", "no"]}
    lines = RowSerializer()(batch, outputs, None).split("\n")  # type: ignore[arg-type]
    assert [json.loads(line) for line in lines] == [
        {"response": 1, "row": 4, "answer": "nö"},
        {"response": None, "row": 7, "answer": "no"},
    ]
