"""What `allennlp evaluate --predictions-output-file` writes."""

from typing import Any, Callable, Dict, List, Optional

from allennlp.common.util import sanitize
from allennlp.data import DataLoader
from allennlp.evaluation.serializers.serializers import Serializer

from attribution.common.json_lines import json_line


@Serializer.register("rows")
class RowSerializer(Serializer):
    """
    One JSON object for each example, with the number of its row, in place of one for each batch: the default for models
    of prompts. For others, in a configuration:

        evaluation: { batch_serializer: { type: 'rows' } }

    Registered as a `Serializer` with name "rows".
    """

    def _to_params(self) -> Dict[str, Any]:
        return {"type": "rows"}

    def __call__(
        self,
        batch: Dict[str, Any],
        output_dict: Dict[str, Any],
        data_loader: DataLoader,
        output_postprocess_function: Optional[Callable] = None,
    ) -> str:
        outputs = output_dict if output_postprocess_function is None else output_postprocess_function(output_dict)
        # What has a value for each example: the loss, say, is the batch's.
        columns = {name: values for name, values in outputs.items() if isinstance(values, (list, tuple))}
        rows: List[Dict[str, Any]] = [
            dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
        ]
        # `sanitize` alone would write the word "None" for nothing.
        return "\n".join(json_line(row, f"the output for row {row.get('row')}", sanitize) for row in rows)
