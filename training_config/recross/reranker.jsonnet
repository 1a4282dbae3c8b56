// ReCross's reranker: RoBERTa-base on mined tuples, all pairs of a query and a positive or a negative example.
//
// TRAIN_DATA_PATH       tuples (train.jsonl of mine-tuples) or pairs {first, second, label}
// VALIDATION_DATA_PATH  the same (dev.jsonl; by default nothing is held out)
// MODEL_NAME            an encoder (roberta-base)
// WEIGHTS_NAME          best.th of the reranker before this one, where mining goes on with it (none)
// EPOCHS                5, as published; 3 where there are weights to start from
// LEARNING_RATE         1e-5, as published, also of a reranker that goes on (published: 5e-5 then)
// WARMUP_STEPS          100
// BATCH_SIZE            64
// MAX_LENGTH            tokens of a pair (512)
// LOWER_CASE            true, as published, or false
// CUDA_DEVICE           (a GPU where there is one)
local env = import '../common/env.libsonnet';
local validation = env.optional('VALIDATION_DATA_PATH', '');
local weights = env.optional('WEIGHTS_NAME', '');
local model_name = env.optional('MODEL_NAME', 'roberta-base');
local max_length = env.integer('MAX_LENGTH', 512);
{
  dataset_reader: {
    type: 'text_pairs',
    model_name: model_name,
    max_length: max_length,
    lower_case: env.optional('LOWER_CASE', 'true') == 'true',
  },
  train_data_path: env.required('TRAIN_DATA_PATH'),
  [if validation != '' then 'validation_data_path']: validation,
  vocabulary: { type: 'empty' },
  model: { type: 'pair_classifier', model_name: model_name, [if weights != '' then 'weights_file']: weights },
  data_loader: { batch_size: env.integer('BATCH_SIZE', 64), shuffle: true },
  trainer: {
    num_epochs: env.integer('EPOCHS', if weights == '' then 5 else 3),
    optimizer: { type: 'huggingface_adamw', lr: env.number('LEARNING_RATE', '1e-5'), weight_decay: 0.0 },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: env.integer('WARMUP_STEPS', 100) },
    grad_norm: 1.0,
    validation_metric: '+auc',
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
  },
}
