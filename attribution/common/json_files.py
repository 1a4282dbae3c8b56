"""Files that are one JSON object, not rows."""

import json
from pathlib import Path
from typing import Tuple, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, local_file


def read_json_object(path: Union[str, Path]) -> Tuple[JsonDict, Path]:
    """
    The object, and where its file is. A URL is downloaded once.

    # Raises

    `ConfigurationError` if the file is missing or is anything but a JSON object. A pickle is never read: that could
    run any code.
    """
    local = local_file(path, ".json")
    content = local.read_bytes()
    if content.startswith(b"\x80"):
        raise ConfigurationError(
            f"{path}: is a pickle. Those are never read, since they can run any code; where you trust it, turn it into "
            "JSON with json.dump(pickle.load(open(OLD, 'rb')), open(NEW, 'w'))"
        )
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: a JSON object is needed, this is {type(document).__name__}")
    return document, local
