from attribution.modules import delta

__all__ = ["delta"]
