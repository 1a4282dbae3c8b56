from attribution.modules.moe.arrow_router import ArrowRouter
from attribution.modules.moe.experts import AdapterExperts, Experts, FeedForwards, LoraExperts, WholeLayers
from attribution.modules.moe.random_selectors import InstanceRandom, TaskRandom
from attribution.modules.moe.route_selector import (
    GumbelSoftmax,
    RouteSelector,
    Softmax,
    StraightThrough,
    TopK,
    Uniform,
)
from attribution.modules.moe.router import (
    GRURouter,
    LinearRouter,
    LSTMRouter,
    RNNRouter,
    Router,
    TransformerRouter,
)
from attribution.modules.moe.routes import RouteHolder, layer_routes
from attribution.modules.moe.task_representation import (
    LearnedTaskRepresentation,
    RandomTaskRepresentation,
    TableTaskRepresentation,
    TaskRepresentation,
)
from attribution.modules.moe.task_table import TaskTable, read_task_table
from attribution.modules.moe.temperature import Temperature

__all__ = [
    "AdapterExperts",
    "ArrowRouter",
    "Experts",
    "FeedForwards",
    "GRURouter",
    "GumbelSoftmax",
    "InstanceRandom",
    "LSTMRouter",
    "LearnedTaskRepresentation",
    "LinearRouter",
    "LoraExperts",
    "RNNRouter",
    "RandomTaskRepresentation",
    "RouteHolder",
    "RouteSelector",
    "Router",
    "Softmax",
    "StraightThrough",
    "TableTaskRepresentation",
    "TaskRepresentation",
    "TaskRandom",
    "TaskTable",
    "Temperature",
    "TopK",
    "TransformerRouter",
    "Uniform",
    "WholeLayers",
    "layer_routes",
    "read_task_table",
]
