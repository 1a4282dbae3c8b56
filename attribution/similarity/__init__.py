from attribution.similarity.similarity_matrix import SimilarityMatrix

__all__ = ["SimilarityMatrix"]
