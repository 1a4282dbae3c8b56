from attribution.similarity.heat_map import draw_heat_map
from attribution.similarity.similarity_matrix import SimilarityMatrix

__all__ = ["SimilarityMatrix", "draw_heat_map"]
