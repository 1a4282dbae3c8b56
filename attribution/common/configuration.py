"""Files that say what a command is to do."""

import os
from pathlib import Path

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError


def read_configuration(path: str, overrides: str = "") -> Params:
    """
    # Raises

    `ConfigurationError` if it is no file that can be read, no jsonnet, or no object of settings.
    """
    file = Path(path)
    if "://" not in path:
        if file.is_dir():
            raise ConfigurationError(f"{path}: is a directory; a configuration (jsonnet) is needed")
        if not file.exists():
            raise ConfigurationError(f"{path}: no such file; a configuration (jsonnet) is needed")
        if not file.is_file():
            raise ConfigurationError(f"{path}: is no regular file, but a pipe or a device; a configuration is needed")
        if not os.access(file, os.R_OK):
            raise ConfigurationError(f"{path}: may not be read by you")
    params = Params.from_file(path, overrides)
    if not isinstance(params.params, dict):
        raise ConfigurationError(f"{path}: an object of settings is needed, this is {params.params!r:.60}")
    return params
