"""A tiny, random configuration of every class of `transformers` that reads text, by shrinking its own defaults."""

import copy
import inspect
from typing import Any, Dict

import transformers
from transformers import CONFIG_MAPPING, AutoConfig, PretrainedConfig

TRANSFORMERS_4 = transformers.__version__.startswith("4.")
VOCABULARY_SIZE = 128
WINDOW = 16
POSITIONS = 256

# Sizes by the names that configurations give them.
_SIZES: Dict[str, Any] = {
    **dict.fromkeys(["vocab_size", "src_vocab_size", "tgt_vocab_size", "decoder_vocab_size"], VOCABULARY_SIZE),
    **dict.fromkeys(["unpadded_vocab_size", "vocab_size_per_layer_input"], VOCABULARY_SIZE),
    **dict.fromkeys(["pronunciation_vocab_size", "shape_vocab_size"], VOCABULARY_SIZE),
    **dict.fromkeys(["mamba_n_heads", "n_mamba_heads", "mamba_num_heads"], 4),
    **dict.fromkeys(["mamba_d_state", "state_size", "ssm_state_size", "mamba_chunk_size", "chunk_size"], 8),
    **dict.fromkeys(["linear_num_key_heads", "linear_num_value_heads", "linear_num_heads"], 4),
    **dict.fromkeys(["linear_key_head_dim", "linear_value_head_dim", "index_head_dim", "mamba_head_dim"], 8),
    **dict.fromkeys(["hidden_size", "d_model", "n_embd", "emb_dim", "dim", "n_embed", "embedding_size"], 32),
    **dict.fromkeys(["word_embed_proj_dim", "attention_hidden_size", "input_embedding_size", "embedding_dim"], 32),
    **dict.fromkeys(["output_embedding_size", "lru_width", "backbone_hidden_size"], 32),
    **dict.fromkeys(["intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "d_inner"], 48),
    **dict.fromkeys(["feed_forward_size", "dff", "dim_ff", "ffn_hidden_size", "moe_intermediate_size"], 48),
    **dict.fromkeys(["shared_expert_intermediate_size", "shared_intermediate_size", "expert_ffn_hidden_size"], 48),
    **dict.fromkeys(["intermediate_size_mlp", "dense_intermediate_size", "mamba_d_ssm"], 64),
    **dict.fromkeys(["num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"], 2),
    **dict.fromkeys(["num_decoder_layers", "num_encoder_layers", "num_blocks"], 2),
    **dict.fromkeys(["num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"], 4),
    **dict.fromkeys(["decoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads"], 4),
    **dict.fromkeys(["attention_heads", "swa_num_attention_heads"], 4),
    **dict.fromkeys(["num_key_value_heads", "swa_num_key_value_heads", "num_kv_heads"], 2),
    **dict.fromkeys(["head_dim", "d_kv", "attention_head_size", "dim_head", "kv_channels", "swa_head_dim"], 8),
    **dict.fromkeys(["d_head", "v_head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "linear_head_dim"], 8),
    **dict.fromkeys(["qk_head_dim"], 16),
    **dict.fromkeys(["kv_lora_rank", "q_lora_rank", "o_lora_rank"], 8),
    **dict.fromkeys(["num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"], 4),
    **dict.fromkeys(["num_experts_per_tok", "moe_topk", "top_k_experts", "moe_k"], 2),
    **dict.fromkeys(["n_groups", "mamba_n_groups", "mamba_ngroups"], 2),
    "hidden_size_global": 32,
    "keep_window_size": POSITIONS,
    **dict.fromkeys(["index_block_size", "index_topk", "block_size"], 4),
    "index_topk_blocks": 2,
    "index_local_blocks": 1,
    **dict.fromkeys(["n_group", "topk_group", "n_shared_experts", "num_shared_experts"], 1),
    **dict.fromkeys(["max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions"], POSITIONS),
    **dict.fromkeys(
        ["max_encoder_position_embeddings", "max_decoder_position_embeddings", "context_length"], POSITIONS
    ),
    **dict.fromkeys(["original_max_position_embeddings", "max_source_positions", "n_ctx"], POSITIONS),
    **dict.fromkeys(["sliding_window", "attention_chunk_size", "attention_window_size", "window_size"], WINDOW),
    **dict.fromkeys(["local_attention", "sliding_window_size"], WINDOW),
    **dict.fromkeys(["sliding_window_pattern", "global_attn_every_n_layers", "no_rope_layer_interval"], 2),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


# What is not built here, and why. Each is asked for by its configuration alone, which says that it does not serve.
UNBUILT: Dict[str, str] = {
    "cohere_compass_text": "transformers 5.23 does not build its own default configuration",
    "dots3_note": "its parts have no small default; its text half is dots3_note_text",
    "gemma3n": "needs timm; its text half is gemma3n_text",
    "gemma4_assistant": "drafts for another model, whose states it reads",
    "gemma4_unified_assistant": "drafts for another model, whose states it reads",
    "musicgen": "reads codes of sound",
    "musicgen_melody": "reads codes of sound",
    "nemo_speechlm": "reads sound",
}

_BERT: Dict[str, Any] = {
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": POSITIONS,
}

_GEMMA: Dict[str, Any] = {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": WINDOW, "query_pre_attn_scalar": 8}

# What one type needs beside its sizes: two kinds of layers where it mixes them, and numbers that go together.
_OF_TYPE: Dict[str, Dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1], "mamba_d_head": 16},
    "bert-generation": {"is_decoder": True},
    "big_bird": {"is_decoder": True},
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0}},
    "codegen": {"rotary_dim": 4},
    "dots3_note_text": {"num_key_value_heads": 4},
    "encoder-decoder": {
        "encoder": {"model_type": "bert", **_BERT},
        "decoder": {"model_type": "bert", **_BERT, "is_decoder": True, "add_cross_attention": True},
        "decoder_start_token_id": 1,
        "pad_token_id": 0,
    },
    "falcon_h1": {"mamba_d_head": 16},
    "gemma2": {"query_pre_attn_scalar": 8},
    "gemma3_text": {"query_pre_attn_scalar": 8},
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        "activation_sparsity_pattern": [0.0] * 4,
    },
    "gemma4_text": {
        "num_hidden_layers": 4,
        "hidden_size_per_layer_input": 8,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "global_head_dim": 16,
    },
    "gemma4_unified_text": {"layer_types": ["sliding_attention", "full_attention"], "global_head_dim": 16},
    "glm5_next_text": {"index_topk": 16},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"], "mamba_d_head": 16},
    "led": {"attention_window": 8},
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "longcat_flash": {"head_dim": 8},
    "longt5": {"decoder_start_token_id": 0, "local_radius": 7, "global_block_size": 4},
    "marian": {"decoder_start_token_id": 0},
    "mamba2": {"num_heads": 8, "n_groups": 2},
    "minimax_m3_vl_text": {"layer_types": ["full_attention", "minimax_m3_sparse"], "index_topk_blocks": 2},
    "nllb-moe": {"encoder_sparse_step": 2, "decoder_sparse_step": 2},
    "qwen2": {"use_sliding_window": True, "max_window_layers": 1},
    "qwen2_moe": {"use_sliding_window": True, "max_window_layers": 1},
    "qwen3": {"use_sliding_window": True, "max_window_layers": 1},
    "qwen3_moe": {"use_sliding_window": True, "max_window_layers": 1},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
        "ngram_vocab_size_base": 64,
        "hc_lowrank": 8,
        "split_ngram_parts": 1,
    },
    "reformer": {
        "is_decoder": True,
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": (16, 16),
        "axial_pos_embds_dim": (8, 24),
        "num_buckets": 4,
        "hash_seed": 0,
        "local_attn_chunk_length": 8,
        "lsh_attn_chunk_length": 8,
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    # transformers 4 does not say what its parts are.
    "t5gemma": {"encoder": {**_BERT, **_GEMMA}, "decoder": {**_BERT, **_GEMMA}},
    "switch_transformers": {
        "decoder_start_token_id": 0,
        "num_sparse_encoder_layers": 1,
        "num_sparse_decoder_layers": 1,
        "expert_capacity": 2,
    },
    "t5": {"decoder_start_token_id": 0},
    "xlm": {"causal": True},
    "xmod": {"languages": ["en_XX", "de_DE"], "default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "num_key_value_heads": 4,
        "attention_hidden_size": None,
        "use_mamba_kernels": False,
    },
    "zamba2": {"layers_block_type": ["mamba", "hybrid"], "num_key_value_heads": 4, "adapter_rank": 4},
    "zaya": {"num_experts_per_tok": 1},
    # Those that read bytes, pictures or sound, too: their other halves as small.
    "blt": {"encoder_hash_byte_group_vocab": 64, "patch_in_forward": False},
    "fuyu": {"patch_size": 2},
}


def signature(kind: type) -> Dict[str, Any]:
    """The settings of a configuration class with their defaults."""
    parameters: Dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, PretrainedConfig) and "__init__" in vars(base):
            parameters.update(inspect.signature(base.__init__).parameters)
    return {name: parameter.default for name, parameter in parameters.items()}


def settings_of(kind: Any) -> Dict[str, Any]:
    """The settings that make it small, those of the configurations within it included."""
    names = signature(kind)
    settings = {name: size for name, size in _SIZES.items() if name in names}
    if "qk_rope_head_dim" in names:  # The other sizes of a head follow from it.
        settings = {name: size for name, size in settings.items() if name not in ("head_dim", "qk_head_dim")}
        settings["num_key_value_heads"] = settings["num_attention_heads"]
    if not kind.model_type:  # A part of another, without tokens of its own.
        settings = {name: size for name, size in settings.items() if not name.endswith("_token_id")}
    settings.update(_layers(kind, names))
    own = _OF_TYPE.get(kind.model_type, {})
    for name, part in kind.sub_configs.items():
        if name in own:
            continue
        if part is AutoConfig:
            default = getattr(kind(), name, None)
            if default is not None:
                settings[name] = {"model_type": default.model_type, **settings_of(type(default))}
        else:
            settings[name] = settings_of(part)
    if "kv_lora_rank" in settings and "num_key_value_heads" in settings:  # Latent attention shares no keys.
        settings["num_key_value_heads"] = settings["num_attention_heads"]
    return {**settings, **own}


def _layers(kind: Any, names: Any) -> Dict[str, Any]:
    """Two layers, or as many as there are kinds of them by default, one of each."""
    if "layer_types" not in names or kind.model_type in _OF_TYPE and "layer_types" in _OF_TYPE[kind.model_type]:
        return {}
    kinds = list(dict.fromkeys(getattr(kind(), "layer_types", None) or ()))
    if not kinds:
        return {}
    settings: Dict[str, Any] = {"layer_types": kinds if len(kinds) > 1 else kinds * 2}
    settings["num_hidden_layers"] = len(settings["layer_types"])
    if "mlp_layer_types" in names:
        of_mlp = list(dict.fromkeys(getattr(kind(), "mlp_layer_types", None) or ()))
        if of_mlp:
            settings["mlp_layer_types"] = (of_mlp * len(settings["layer_types"]))[-len(settings["layer_types"]) :]
    return settings


def rope(rope_type: str, **settings: Any) -> Dict[str, Any]:
    """The setting of rotary frequencies, by its name in transformers 5 or 4."""
    if TRANSFORMERS_4:
        return {"rope_scaling": {"type": rope_type, **settings}}
    return {"rope_parameters": {"rope_theta": 10000.0, "rope_type": rope_type, **settings}}


def tiny_config(model_type: str, **changes: Any) -> Any:
    kind: Any = CONFIG_MAPPING[model_type]
    return kind(**copy.deepcopy({**settings_of(kind), **changes}))  # Some take their parts apart.
