from attribution.commands.retrieve import Retrieve

__all__ = ["Retrieve"]
