from attribution.mining.group_miner import GroupMiner
from attribution.mining.loss_miner import LossMiner
from attribution.mining.tuple_miner import MinedTuple, TupleMiner

__all__ = ["GroupMiner", "LossMiner", "MinedTuple", "TupleMiner"]
