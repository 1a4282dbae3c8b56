from typing import Any, Dict

from allennlp.common import Params
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model

from attribution.data.dataset_readers import P3JsonlReader

EXAMPLES = [
    ("the cat sat on the mat", ["yes", "no", "not maybe"], 2),
    ("good movie ?", ["green"], 0),
    ("a bad film , was it ?", ["good", "bad movie", "red", "blue cat", "mat"], 1),
]


def make_batch(folder: str, examples: Any = EXAMPLES) -> Dict[str, Any]:
    reader = P3JsonlReader(folder)
    return Batch([reader.text_to_instance(*example) for example in examples]).as_tensor_dict()


def make_model(folder: str, **settings: Any) -> Any:
    params = Params({"type": "seq2seq", "model_name": folder, **settings})
    return Model.from_params(params, vocab=Vocabulary.empty())
