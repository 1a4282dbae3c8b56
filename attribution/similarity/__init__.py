from attribution.similarity.heat_map import draw_heat_map
from attribution.similarity.linear_cka import common_rows, linear_cka
from attribution.similarity.similarity_matrix import SimilarityMatrix

__all__ = ["SimilarityMatrix", "common_rows", "draw_heat_map", "linear_cka"]
