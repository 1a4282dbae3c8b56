// DEFT's main run: train on retrieved rows alone. Report the value after the last epoch (`validation_accuracy` in
// metrics.json), not the best (`best_validation_accuracy`). Random and BM25 baselines are other TRAIN_DATA_PATHs.
//
// TRAIN_DATA_PATH                 the retrieved rows
// VALIDATION_DATASET_READER_NAME  a task's reader, which knows its data; or
// VALIDATION_DATA_PATH            a file of prompted rows with answer choices; or neither: no validation
// MODEL_NAME, EPOCHS, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local tasks = import 'tasks.libsonnet';
local task = env.optional('VALIDATION_DATASET_READER_NAME', '');
local file = env.optional('VALIDATION_DATA_PATH', '');
local rows = { type: 'p3_jsonl', model_name: common.model_name, max_answer_length: 256 };
common {
  dataset_reader: rows,
  train_data_path: env.required('TRAIN_DATA_PATH'),
  model: { type: 'seq2seq', model_name: common.model_name },
  data_loader: { batch_size: 1 },
  trainer+: { num_gradient_accumulation_steps: 8, checkpointer: { keep_most_recent_by_count: 1 } },
} + if task != '' then {
  validation_dataset_reader: tasks.evaluation(task, common.model_name, prompts=self.prompts),
  validation_data_path: 'dummy',
} else if file != '' then { validation_dataset_reader: rows, validation_data_path: file } else {}
