// Fully supervised in-task training: no retrieval, no validation.
//
// TRAIN_DATASET_READER_NAME  a task's reader
// MODEL_NAME, EPOCHS, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local task = env.required('TRAIN_DATASET_READER_NAME');
common {
  dataset_reader: {
    type: task,
    model_name: common.model_name,
    split_name: 'train',
    [if $.prompts != 'fixed' && !std.endsWith(task, 'drop_reader') then 'prompts']: $.prompts,
  },
  train_data_path: 'dummy',
  model: { type: 'seq2seq', model_name: common.model_name },
  data_loader: { batch_size: 4 },
  trainer+: {
    num_gradient_accumulation_steps: 2,
    learning_rate_scheduler+: { cut_frac: 0.01 },
    checkpointer: { keep_most_recent_by_count: 1 },
  },
}
