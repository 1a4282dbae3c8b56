// 32 steps of 8 rows of TRAIN_DATA_PATH: LoRA on SmolLM2-135M.
local env = import '../common/env.libsonnet';
local settings = import 'settings.libsonnet';
{
  random_seed: settings.seed,
  numpy_seed: settings.seed,
  pytorch_seed: settings.seed,
  dataset_reader: {
    type: 'p3_jsonl',
    model_name: settings.model,
    max_query_length: 96,
    end_of_sequence: false,
  },
  validation_dataset_reader: settings.reader,
  train_data_path: env.required('TRAIN_DATA_PATH'),
  vocabulary: { type: 'empty' },
  model: {
    type: 'causal_lm',
    model_name: settings.model,
    delta: { type: 'lora', r: 16, alpha: 32, target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
  },
  data_loader: { batch_size: 8, shuffle: true, batches_per_epoch: 32 },
  validation_data_loader: { batch_sampler: { type: 'token_budget', max_tokens: 4096, shuffle: false } },
  trainer: {
    num_epochs: 1,
    optimizer: { type: 'adam', lr: 5e-4 },
    learning_rate_scheduler: { type: 'polynomial_decay', warmup_steps: 4 },
    enable_default_callbacks: false,
  },
}
