from attribution.encoders.encoder import Encoder
from attribution.encoders.masked_mean import MaskedMeanEncoder

__all__ = ["Encoder", "MaskedMeanEncoder"]
