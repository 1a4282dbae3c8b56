"""One prompt at a time: what `allennlp predict` uses."""

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors.predictor import Predictor

from attribution.common.rows import Row
from attribution.data.dataset_readers import PromptedReader


@Predictor.register("prompted")
class PromptedPredictor(Predictor):
    """
    Takes rows as the model's dataset reader reads them from a file; labels are not looked at. The output has `response`
    (the best option's index), `answer` (its text), `scores` and, where the model generates, `generated_text`.

    Registered as a `Predictor` with name "prompted".
    """

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        reader = self._dataset_reader
        if not isinstance(reader, PromptedReader):
            raise ConfigurationError(f"the predictor 'prompted' needs a reader of prompts, not {type(reader).__name__}")
        examples = reader.row_to_examples(Row(0, json_dict, "the given row"), labelled=False)
        if len(examples) != 1:
            raise ConfigurationError(f"of this row the reader makes {len(examples)} examples, not one: {json_dict}")
        [example] = examples
        if not example.options:
            raise ConfigurationError(f"there is no option to rank in this row: {json_dict}")
        return reader.text_to_instance(example.input, example.options)
