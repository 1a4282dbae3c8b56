from attribution.rerankers.cross_encoder import CrossEncoderReranker
from attribution.rerankers.reranker import Reranked, Reranker

__all__ = ["CrossEncoderReranker", "Reranked", "Reranker"]
