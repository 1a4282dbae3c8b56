from attribution.commands.build_pool import BuildPool
from attribution.commands.embed import Embed
from attribution.commands.retrieve import Retrieve

__all__ = ["BuildPool", "Embed", "Retrieve"]
