from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.build_gym import BuildGym
from attribution.commands.build_pool import BuildPool
from attribution.commands.compare_agents import CompareAgentsCommand
from attribution.commands.compare_covariances import CompareCovariances
from attribution.commands.compare_rerankers import CompareRerankers
from attribution.commands.disable_experts import DisableExpertsCommand
from attribution.commands.divide import Divide
from attribution.commands.embed import Embed
from attribution.commands.embed_tasks import EmbedTasks
from attribution.commands.ensemble import EnsembleCommand
from attribution.commands.import_artefact import ImportArtefact
from attribution.commands.mine_tuples import MineTuples
from attribution.commands.novelty import NoveltyCommand
from attribution.commands.pool_rows import PoolRowsCommand, QueriesCommand
from attribution.commands.report import ReportCommand
from attribution.commands.rerank import RerankCommand
from attribution.commands.retrieve import Retrieve
from attribution.commands.routes import RoutesCommand
from attribution.commands.select import SelectCommand
from attribution.commands.similarity import SimilarityCommand
from attribution.commands.squeeze import SqueezeCommand
from attribution.commands.sweep import SweepCommand

__all__ = [
    "ArtefactCommand",
    "ArtefactJob",
    "BuildGym",
    "BuildPool",
    "CompareAgentsCommand",
    "CompareCovariances",
    "CompareRerankers",
    "DisableExpertsCommand",
    "Divide",
    "Embed",
    "EmbedTasks",
    "EnsembleCommand",
    "ImportArtefact",
    "MineTuples",
    "NoveltyCommand",
    "PoolRowsCommand",
    "QueriesCommand",
    "ReportCommand",
    "RerankCommand",
    "Retrieve",
    "RoutesCommand",
    "SelectCommand",
    "SimilarityCommand",
    "SqueezeCommand",
    "SweepCommand",
]
