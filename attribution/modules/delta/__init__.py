from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.lora import Lora

__all__ = ["DeltaModule", "Lora"]
