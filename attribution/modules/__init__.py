from attribution.modules import delta, moe

__all__ = ["delta", "moe"]
