// Supervised training on Qasper's evidence, without validation.
//
// TRAIN_DATA_PATH  Qasper's JSON
// MODEL_NAME, EPOCHS, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
common {
  dataset_reader: { type: 'qasper_evidence_prompt', model_name: common.model_name },
  train_data_path: env.required('TRAIN_DATA_PATH'),
  model: { type: 'seq2seq', model_name: common.model_name },
  data_loader: { batch_size: 1 },
  trainer+: { num_gradient_accumulation_steps: 8, checkpointer: { keep_most_recent_by_count: 1 } },
}
