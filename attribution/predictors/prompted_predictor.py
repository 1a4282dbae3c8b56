"""One prompt at a time: what `allennlp predict` uses."""

import json
from typing import List

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, sanitize
from allennlp.data import Instance
from allennlp.predictors.predictor import Predictor

from attribution.common.json_lines import json_line
from attribution.common.rows import JSON_DECODER, Row
from attribution.data.dataset_readers import PromptedReader


@Predictor.register("prompted")
class PromptedPredictor(Predictor):
    """
    Takes rows as the model's dataset reader reads them from a file; labels are not looked at. The output has `answer`,
    what the model generates or, where it does not, the best of the row's options; where there are several of these also
    `response`, the best one's index, `scores` and, of a model that generates, `best_option`.

    Registered as a `Predictor` with name "prompted".
    """

    def load_line(self, line: str) -> JsonDict:
        """With numbers as they are written, as readers have them."""
        return JSON_DECODER.decode(line)

    def dump_line(self, outputs: JsonDict) -> str:
        return json_line(outputs, "the output of a row") + "\n"

    def predict_instance(self, instance: Instance) -> JsonDict:
        return self.predict_batch_instance([instance])[0]

    def predict_batch_instance(self, instances: List[Instance]) -> List[JsonDict]:
        outputs: List[JsonDict] = [{} for _ in instances]
        for ranked in (True, False):  # Instances of one batch have the same fields.
            places = [place for place, one in enumerate(instances) if ("answer_options" in one.fields) is ranked]
            found = self._model.forward_on_instances([instances[place] for place in places]) if places else []
            for place, output in zip(places, found):
                # `sanitize` alone would write the word "None" for nothing.
                outputs[place] = json.loads(json.dumps(output, default=sanitize))
        return outputs

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        reader = self._dataset_reader
        if not isinstance(reader, PromptedReader):
            raise ConfigurationError(f"the predictor 'prompted' needs a reader of prompts, not {type(reader).__name__}")
        where = getattr(json_dict, "where", "the given row")
        examples = reader.row_to_examples(Row(0, json_dict, where), labelled=False)
        if len(examples) != 1:
            raise ConfigurationError(
                f"{where}: of this row the reader makes {len(examples)} examples, not one: {json_dict}"
            )
        [example] = examples
        # A single option is the target of a row without choices.
        options = example.options if len(example.options) > 1 else []
        if not options and self._model.generation is None:
            only = f", its only option is {example.options[0]!r}" if example.options else ""
            raise ConfigurationError(
                f"{where}: there is nothing to choose from in this row{only}, and the model does not write: {json_dict}"
                ". A choice needs `answer_choices` (a target says what is right, and is none); or let the model write: "
                """-o '{"model.generation": {"max_new_tokens": 16}}'"""
            )
        instance = reader.text_to_instance(example.input, options)
        del instance.fields["row"]  # A row that is given alone has no number.
        return instance
