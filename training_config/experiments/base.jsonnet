// Makes a language model of small_bart.py's, DIR/transformer: prompts to targets, on rows of other tasks than those of
// tasks.libsonnet.
//
// TRAIN_DATA_PATH  base_pool.jsonnet's pool.jsonl
// MODEL_NAME       small_bart.py's folder
// STEPS            of 16 rows each (1500)
local env = import '../common/env.libsonnet';
local epochs = 10;
{
  random_seed: 0,
  numpy_seed: 0,
  pytorch_seed: 0,
  dataset_reader: {
    type: 'p3_jsonl',
    model_name: env.required('MODEL_NAME'),
    max_query_length: 96,
    max_answer_length: 24,
  },
  train_data_path: env.required('TRAIN_DATA_PATH'),
  vocabulary: { type: 'empty' },
  model: { type: 'seq2seq', model_name: env.required('MODEL_NAME') },
  data_loader: {
    batch_sampler: { type: 'bucket', batch_size: 16, sorting_keys: ['prompt_and_input'] },
    batches_per_epoch: env.integer('STEPS', 1500) / epochs,
  },
  trainer: {
    num_epochs: epochs,
    optimizer: { type: 'huggingface_adamw', lr: 5e-4, weight_decay: 0.01 },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: 100 },
    grad_norm: 1.0,
    callbacks: ['save_transformer'],
    enable_default_callbacks: false,
  },
}
