"""How far an encoder is with what it was given."""

from typing import Any

from allennlp.common.tqdm import Tqdm

_SECONDS = 2.0


def progress(total: int, unit: str) -> Any:
    """A bar for what takes longer than a moment: it moves with every batch, below that of the files or blocks."""
    return Tqdm.tqdm(total=total, desc=f"encoding {unit}s", unit=unit, delay=_SECONDS, leave=False)
