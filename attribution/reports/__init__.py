from attribution.reports.agents import AgentsSection
from attribution.reports.blocks import Block, Number, Plot, Table
from attribution.reports.covariances import CovariancesSection
from attribution.reports.disabled_experts import DisabledExpertsSection
from attribution.reports.ensemble import EnsembleSection
from attribution.reports.matrix import SimilaritySection
from attribution.reports.page import PAGE, Section, write_page
from attribution.reports.report_section import ReportSection
from attribution.reports.retrieval import RetrievalSection
from attribution.reports.routes import RoutesSection
from attribution.reports.selection import SelectionSection
from attribution.reports.sweep import SweepSection
from attribution.reports.training import TrainingSection

__all__ = [
    "PAGE",
    "AgentsSection",
    "Block",
    "CovariancesSection",
    "DisabledExpertsSection",
    "EnsembleSection",
    "Number",
    "Plot",
    "ReportSection",
    "RetrievalSection",
    "RoutesSection",
    "Section",
    "SelectionSection",
    "SimilaritySection",
    "SweepSection",
    "Table",
    "TrainingSection",
    "write_page",
]
