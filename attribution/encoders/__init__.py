from attribution.encoders.batched import BatchedEncoder
from attribution.encoders.bi_encoder import BiEncoderEncoder
from attribution.encoders.encoder import Encoder
from attribution.encoders.sentence_transformers import SentenceTransformersEncoder
from attribution.encoders.transformer import TransformerEncoder
from attribution.encoders.vectors import Vectors
from attribution.encoders.word_encoder import WordEncoder

__all__ = [
    "BatchedEncoder",
    "BiEncoderEncoder",
    "Encoder",
    "SentenceTransformersEncoder",
    "TransformerEncoder",
    "Vectors",
    "WordEncoder",
]
