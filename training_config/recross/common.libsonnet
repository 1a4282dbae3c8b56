// What ReCross's trainings share (Lin et al., 2022): the summed, label-smoothed loss, and answers by beam search.
//
// MODEL_NAME       a hub id or a local folder: what `upstream` left, say (yuchenlin/BART0)
// MODEL_TYPE       seq2seq, causal_lm (seq2seq)
// WEIGHTS_NAME     a state dict of that architecture to start from (best.th, .safetensors)
// DELTA            a JSON block of a delta to train instead of all weights: '{"type": "lora"}'
// EXTRA_BOS        true, as published, for BART alone: <s> <s> a text </s> (true of yuchenlin/BART0, otherwise false)
// LOSS             sum over tokens, as published, or mean (sum)
// LABEL_SMOOTHING  (0.1, as published)
// GENERATE         true: answers are written; false: the most likely of a row's options (true)
// NUM_BEAMS        (4)
// MAX_QUERY_LENGTH of prompts, in tokens (512; few_shot and two_stage 386)
// EVALUATION_BATCH_SIZE, CUDA_DEVICE, SEED  (8, a GPU where there is one, 42)
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local number = env.number;
local model_name = env.optional('MODEL_NAME', 'yuchenlin/BART0');
local generate = env.optional('GENERATE', 'true') == 'true';
local beams = env.integer('NUM_BEAMS', 4);
local seed = env.integer('SEED', 42) + env.integer('ROUND', 0);
{
  number:: number,
  // Biases and normalisations do not decay; as published BART's normalisations did, whose names were not matched.
  optimizer(lr):: {
    type: 'adamw',
    lr: lr,
    eps: 1e-8,
    weight_decay: 0.01,
    parameter_groups: [[['bias$', 'norm', '\\.ln_'], { weight_decay: 0.0 }]],
  },
  rows:: {
    type: 'p3_jsonl',
    model_name: model_name,
    max_query_length: env.integer('MAX_QUERY_LENGTH', 512),
    max_answer_length: 64,
    extra_bos: (import 'extra_bos.libsonnet')(model_name),
    keep: ['id', 'task', 'template'],
  },

  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  dataset_reader: $.rows,
  validation_dataset_reader: $.rows,
  vocabulary: { type: 'empty' },
  model: {
    type: env.optional('MODEL_TYPE', 'seq2seq'),
    model_name: model_name,
    [if given('WEIGHTS_NAME') then 'weights_file']: env.required('WEIGHTS_NAME'),
    [if given('DELTA') then 'delta']: number('DELTA', ''),
    loss: env.optional('LOSS', 'sum'),
    label_smoothing: number('LABEL_SMOOTHING', '0.1'),
    metrics: [{ type: 'grouped', metrics: ['soft_exact_match', 'exact_match'], by: 'template' }],
  } + if generate then {
    generation: { num_beams: beams, max_new_tokens: 64, early_stopping: beams > 1 },
    undouble: true,
  } else {},
  validation_data_loader: { batch_size: env.integer('EVALUATION_BATCH_SIZE', 8) },
  evaluation: { batch_serializer: { type: 'rows' } },
  trainer: { cuda_device: env.cuda_device(), enable_default_callbacks: false },
}
