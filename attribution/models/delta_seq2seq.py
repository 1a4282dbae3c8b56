"""DEFT's models that train a delta, under their published names."""

from typing import Any, Optional

from allennlp.data import Vocabulary
from allennlp.models.model import Model

from attribution.models.seq2seq import LoadSeq2Seq, Seq2Seq
from attribution.modules.delta import IA3, DeltaModule, MixAndMatch


@Model.register("ia3_seq2seq")
class IA3Seq2Seq(Seq2Seq):
    """
    A `seq2seq` model whose delta is `ia3`.

    Registered as a `Model` with name "ia3_seq2seq".

    # Parameters

    delta : `DeltaModule`, optional
        Another one.

    All others are those of `Seq2Seq`.
    """

    always_delta = True

    def __init__(self, vocab: Vocabulary, delta: Optional[DeltaModule] = None, **kwargs: Any) -> None:
        super().__init__(vocab, delta=delta or IA3(), **kwargs)


@Model.register("ia3_seq2seq_load")
class LoadIA3Seq2Seq(LoadSeq2Seq):
    """
    A `load_seq2seq` model whose delta is `ia3`; the weights are loaded before it is injected.

    Registered as a `Model` with name "ia3_seq2seq_load".

    # Parameters

    delta : `DeltaModule`, optional
        Another one.

    All others are those of `LoadSeq2Seq`.
    """

    always_delta = True

    def __init__(self, vocab: Vocabulary, delta: Optional[DeltaModule] = None, **kwargs: Any) -> None:
        super().__init__(vocab, delta=delta or IA3(), **kwargs)


@Model.register("mam_seq2seq")
class MaMSeq2Seq(Seq2Seq):
    """
    A `seq2seq` model whose delta is `mix_and_match`, the model's layer normalisations included.

    Registered as a `Model` with name "mam_seq2seq".

    # Parameters

    adapter_size : `int`, optional (default = `512`)
    num_prefix_tokens : `int`, optional (default = `30`)
    prefix_reparam_hidden_size : `int`, optional (default = `512`)
        `size`, `num_virtual_tokens` and `hidden_size` of `MixAndMatch`.

    All others are those of `Seq2Seq`.
    """

    always_delta = True

    def __init__(
        self,
        vocab: Vocabulary,
        adapter_size: int = 512,
        num_prefix_tokens: int = 30,
        prefix_reparam_hidden_size: int = 512,
        **kwargs: Any,
    ) -> None:
        delta = MixAndMatch(num_prefix_tokens, prefix_reparam_hidden_size, layer_norms=True, size=adapter_size)
        super().__init__(vocab, delta=delta, **kwargs)
