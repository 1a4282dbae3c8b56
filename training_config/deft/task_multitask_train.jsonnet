// Retrieved rows and labelled rows of the task, in turn. As published it could not run (INSTANCES_PER_EPOCH was a text,
// and the model did not take the field that the mixture adds); here it does.
//
// P3_TRAIN_DATA_PATH              the retrieved rows
// TRAIN_DATASET_READER_NAME       a task's reader
// INSTANCES_PER_EPOCH             rows of both together
// VALIDATION_DATASET_READER_NAME  for `allennlp evaluate`; by default the task's reader
// MODEL_NAME, EPOCHS, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local task = env.required('TRAIN_DATASET_READER_NAME');
local tasks = import 'tasks.libsonnet';
local validation = env.optional('VALIDATION_DATASET_READER_NAME', task);
common {
  dataset_reader: {
    type: 'multitask',
    readers: {
      p3_idx: { type: 'p3_jsonl', model_name: common.model_name, max_answer_length: 256 },
      task: tasks.reader(task, common.model_name, 'train', $.prompts),
    },
  },
  validation_dataset_reader: tasks.reader(validation, common.model_name, 'test', self.prompts),
  train_data_path: { p3_idx: env.required('P3_TRAIN_DATA_PATH'), task: 'dummy' },
  model: { type: 'seq2seq', model_name: common.model_name },
  data_loader: {
    type: 'multitask',
    scheduler: { batch_size: 1, type: 'roundrobin' },
    sampler: 'proportional',
    instances_per_epoch: std.parseInt(env.required('INSTANCES_PER_EPOCH')),
  },
  validation_data_loader: { batch_size: 1 },
  trainer+: { num_gradient_accumulation_steps: 8, checkpointer: { keep_most_recent_by_count: 5 } },
}
