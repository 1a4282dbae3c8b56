"""What a pretrained model is, beside its name."""

import hashlib
from pathlib import Path
from typing import Dict, Optional

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import fingerprint


def model_identity(model_name: str) -> Dict[str, str]:
    """
    Of a local folder the hash of its files, wherever it lies; of a hub id the commit.

    # Raises

    `ConfigurationError` if there is no such model.
    """
    folder = Path(model_name)
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
        digest = hashlib.sha256()
        for path in files:
            digest.update(f"{path.relative_to(folder)} {fingerprint(path)['sha256']}\n".encode())
        return {"files": digest.hexdigest()}
    from transformers.utils import cached_file

    try:
        config = str(cached_file(model_name, "config.json"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"model_name {model_name}: no such folder, and not on the hub ({error})") from error
    return {"hub": model_name, "commit": Path(config).parent.name}  # In the cache a folder is named by its commit.


def learned_positions(transformer: torch.nn.Module) -> Optional[int]:
    """The longest text that a model with an embedding for each position can read; None if it has no such limit."""
    names = ("position_embeddings", "embed_positions", "wpe")
    limits = [
        module.weight.size(0) - getattr(module, "offset", (getattr(module, "padding_idx", None) or -1) + 1)
        for name, module in transformer.named_modules()
        if name.rpartition(".")[2] in names and isinstance(module, torch.nn.Embedding)
    ]
    return min(limits, default=None)
