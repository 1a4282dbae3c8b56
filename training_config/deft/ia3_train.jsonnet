// Few-shot IA3 on a pretrained model, as T-Few: 1,000 steps of 8 rows, Adafactor. Leaves the delta's folder, too.
//
// TRAIN_DATA_PATH                 20 to 70 rows
// VALIDATION_DATASET_READER_NAME  a task's reader
// MODEL_NAME, STEPS, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local tasks = import 'tasks.libsonnet';
local task = env.required('VALIDATION_DATASET_READER_NAME');
common {
  epochs:: 1,
  dataset_reader: { type: 'p3_jsonl', model_name: common.model_name, max_query_length: 256 },
  train_data_path: env.required('TRAIN_DATA_PATH'),
  validation_dataset_reader: tasks.evaluation(task, common.model_name, prompts=self.prompts) {
    val_size: 1000,
    max_query_length: 256,
  },
  validation_data_path: 'dummy',
  model: { type: 'ia3_seq2seq_load', model_name: common.model_name },
  data_loader: { batch_size: 8, shuffle: true, batches_per_epoch: env.integer('STEPS', 1000) },
  validation_data_loader: { batch_size: 8 },
  trainer+: {
    optimizer: {
      type: 'huggingface_adafactor',
      lr: 3e-3,
      relative_step: false,
      scale_parameter: true,
      warmup_init: false,
      weight_decay: 0.0,
    },
    learning_rate_scheduler: { type: 'polynomial_decay', power: 1.0, warmup_steps: 60, end_learning_rate: 0.0 },
    grad_clipping:: null,
    grad_norm: 1.0,
    callbacks+: ['save_delta'],
    checkpointer: { keep_most_recent_by_count: 1 },
  },
}
