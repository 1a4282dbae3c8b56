from attribution.modules.delta.adapter import Houlsby, Parallel, Pfeiffer
from attribution.modules.delta.bias import Bias
from attribution.modules.delta.delta_folder import Delta, base_fingerprint, read_delta, read_delta_config, write_delta
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.from_folder import delta_from_folder
from attribution.modules.delta.full import FullFineTuning
from attribution.modules.delta.ia3 import IA3
from attribution.modules.delta.lora import Lora
from attribution.modules.delta.mix_and_match import MixAndMatch
from attribution.modules.delta.prefix import Prefix
from attribution.modules.delta.prompt import Prompt

__all__ = [
    "Bias",
    "Delta",
    "DeltaModule",
    "FullFineTuning",
    "Houlsby",
    "IA3",
    "Lora",
    "MixAndMatch",
    "Parallel",
    "Pfeiffer",
    "Prefix",
    "Prompt",
    "base_fingerprint",
    "delta_from_folder",
    "read_delta",
    "read_delta_config",
    "write_delta",
]
