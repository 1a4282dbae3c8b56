from attribution.encoders.encoder import Encoder
from attribution.encoders.masked_mean import MaskedMeanEncoder
from attribution.encoders.vectors import Vectors

__all__ = ["Encoder", "MaskedMeanEncoder", "Vectors"]
