from attribution.commands.embed import Embed
from attribution.commands.retrieve import Retrieve

__all__ = ["Embed", "Retrieve"]
