"""Every class of `transformers` that makes vectors of text alone, tiny and random, and why some cannot serve."""

import inspect
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from transformers import MODEL_MAPPING, AutoModel, AutoModelForSeq2SeqLM

from tests.architectures import TRANSFORMERS_4, UNBUILT, rope, tiny_config

# Arguments by which a model gets something that no text has.
_NOT_TEXT = ("pixel", "bbox", "audio", "image", "input_features", "input_values", "visual", "video", "structure")

# Types that take `input_ids` and are no text models, or that are not made small; each with its reason.
LEFT_OUT: Dict[str, str] = {
    **UNBUILT,
    "dia": "reads text and makes codes of sound",
    "evolla": "reads proteins beside the text, and has no small default",
    "fastspeech2_conformer": "makes speech",
    "fastspeech2_conformer_with_hifigan": "makes speech",
    "fastspeech2_conformer_hifigan": "makes speech",
    "higgs_audio_v2": "makes codes of sound",
    "imagegpt": "reads the colours of images",
    "kyutai_speech_to_text": "reads codes of sound",
    "moshi": "reads codes of sound",
    "vits": "makes speech",
}

# What transformers 4 does not read itself, or not as it was saved.
LEFT_OUT_OF_4: Dict[str, str] = {
    "doge": "reads a short text otherwise without a mask",
    "ernie_m": "begins its positions at two, whatever its padding is",
    **dict.fromkeys(["glm4v_moe_text", "glm4v_text"], "makes no positions of a text alone"),
    "gptsan-japanese": "has no base model",
    "modernbert-decoder": "does not save its window",
    "nezha": "has a table of the distances between positions, which no other has",
    "qdqbert": "needs a library that is not there",
    "transfo-xl": "has no small default",
    "xlstm": "cuts a text into chunks that do not fit",
}

# What `tests/architectures.py` leaves as large as it is.
OF_TYPE: Dict[str, Dict[str, Any]] = {
    **dict.fromkeys(["codegen", "gptj"], {"rotary_dim": 4}),
    "esmc": {"num_key_value_heads": 4},
    "funnel": {"block_sizes": [1, 1], "num_decoder_layers": 1, "d_inner": 48, "architectures": ["FunnelModel"]},
    "longformer": {"attention_window": 8},
    "big_bird": {"is_decoder": False, "block_size": 4, "num_random_blocks": 1},
    "bigbird_pegasus": {"block_size": 4, "num_random_blocks": 1},
    **dict.fromkeys(
        ["glm4v_text", "glm_image_text", "glm_ocr_text", "hunyuan_vl_text", "qwen2_5_vl_text", "qwen2_vl_text"],
        rope("default", mrope_section=[1, 1, 2]),
    ),
    "cosmos3_edge_text": rope("default", mrope_section=[1, 1, 2]),
    "glm4v_moe_text": rope("default", mrope_section=[1, 1, 0]),
    "glm5_next_text": {"qk_rope_head_dim": 0},
    **dict.fromkeys(["flaubert", "xlm"], {"pad_index": 0}),
    "longcat_flash": {"head_dim": 8},
    "luke": {"entity_vocab_size": 16, "entity_emb_size": 16},
    "pegasus_x": {"block_size": 8, "num_global_tokens": 4, "decoder_start_token_id": 0},
    "nllb-moe": {"encoder_sparse_step": 1, "decoder_sparse_step": 1},
}


def text_types() -> List[str]:
    """The model types whose base model takes nothing but text, and two models as one."""
    types = []
    for kind, name in MODEL_MAPPING._model_mapping.items():
        if kind in LEFT_OUT or TRANSFORMERS_4 and kind in LEFT_OUT_OF_4:
            continue
        try:
            parameters = inspect.signature(_model_class(kind).forward).parameters
        except (ImportError, ValueError, KeyError):  # Needs a library that is not there, or is named and not there.
            continue
        if "input_ids" in parameters and not any(name.startswith(_NOT_TEXT) for name in parameters):
            types.append(kind)
    return sorted(set(types)) + ["encoder-decoder"]


def _model_class(kind: str) -> Any:
    from transformers import CONFIG_MAPPING

    found = MODEL_MAPPING[CONFIG_MAPPING[kind]]
    return found[0] if isinstance(found, tuple) else found


def build(model_type: str, folder: Path, **changes: Any) -> Tuple[Any, str]:
    """A random model, and the folder that it is saved in."""
    config = tiny_config(model_type, **{**OF_TYPE.get(model_type, {}), **changes})
    torch.manual_seed(13)
    auto = AutoModelForSeq2SeqLM if model_type == "encoder-decoder" else AutoModel
    model = auto.from_config(config).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return model, str(folder)
