// ReCross's upstream training: BART0 from BART, or T5, on a mixture of tasks. DIR/transformer is the model, as a folder.
// The settings are those published for its commonsense variant, the only ones that there are: the mean loss, without
// smoothing or further start tokens. As common.libsonnet, but for
//
// MODEL_NAME            facebook/bart-large (the default), facebook/bart-base, google/t5-base-lm-adapt
// UPSTREAM_PATH         the mixture: DIR/pool.jsonl of build_pool.jsonnet
// VALIDATION_DATA_PATH  prompted rows to choose the epoch by (none: the last)
// LOSS, LABEL_SMOOTHING, EXTRA_BOS, GENERATE  (mean, 0, false, false)
// UPSTREAM_EPOCHS, UPSTREAM_LEARNING_RATE, UPSTREAM_BATCH_SIZE, UPSTREAM_ACCUMULATION  (5, 3e-5, 14, 4)
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local model_name = env.optional('MODEL_NAME', 'facebook/bart-large');
local validation = env.optional('VALIDATION_DATA_PATH', '');
local generate = env.optional('GENERATE', 'false') == 'true';
common {
  rows+:: {
    model_name: model_name,
    max_answer_length: 128,
    extra_bos: env.optional('EXTRA_BOS', 'false') == 'true',
  },
  train_data_path: env.required('UPSTREAM_PATH'),
  [if validation != '' then 'validation_data_path']: validation,
  model+: {
    model_name: model_name,
    loss: env.optional('LOSS', 'mean'),
    label_smoothing: common.number('LABEL_SMOOTHING', '0'),
    [if !generate then 'generation']:: null,
    [if !generate then 'undouble']:: null,
  },
  data_loader: { batch_size: env.integer('UPSTREAM_BATCH_SIZE', 14), shuffle: true },
  trainer+: {
    num_epochs: env.integer('UPSTREAM_EPOCHS', 5),
    optimizer: common.optimizer(common.number('UPSTREAM_LEARNING_RATE', '3e-5')),
    learning_rate_scheduler: { type: 'polynomial_decay' },
    num_gradient_accumulation_steps: env.integer('UPSTREAM_ACCUMULATION', 4),
    grad_norm: 1.0,
    validation_metric: '-loss',
    callbacks: ['save_transformer'],
    checkpointer: { keep_most_recent_by_count: 1 },
  },
}
