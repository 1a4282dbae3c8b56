"""Parts of a transformer, by the names of its modules."""

from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.delta_folder import PREFIX

GRANULARITIES = ("model", "block", "layer")


def part_of(name: str, granularity: str) -> str:
    """
    The part that a parameter belongs to: `model`; its block (`encoder.block.0`); or the sub-layer of the block, T5's
    `encoder.block.0.layer.1`, or the next name of others (`model.layers.0.self_attn`).

    # Raises

    `ConfigurationError` if it is in no block.
    """
    if granularity == "model":
        return "model"
    names = name.removeprefix(PREFIX).split(".")
    block = next((place for place, part in enumerate(names) if part.isdigit()), None)
    if block is None:
        raise ConfigurationError(f"{name} is in no {granularity} of the model; use the granularity model")
    numbered = len(names) > block + 2 and names[block + 1] == "layer" and names[block + 2].isdigit()
    return ".".join(names[: block + (1 if granularity == "block" else 3 if numbered else 2)])
