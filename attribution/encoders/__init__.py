from attribution.encoders.batched import BatchedEncoder
from attribution.encoders.bi_encoder import BiEncoderEncoder
from attribution.encoders.encoder import Encoder
from attribution.encoders.image import ImageEncoder
from attribution.encoders.sentence_transformers import SentenceTransformersEncoder
from attribution.encoders.stored_words import StoredWords
from attribution.encoders.transformer import TransformerEncoder
from attribution.encoders.vectors import Vectors

__all__ = [
    "BatchedEncoder",
    "BiEncoderEncoder",
    "Encoder",
    "ImageEncoder",
    "SentenceTransformersEncoder",
    "StoredWords",
    "TransformerEncoder",
    "Vectors",
]
