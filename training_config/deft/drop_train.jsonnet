// Supervised training on DROP, evaluated by its own score on the part of the development set that is not validation.
//
// MODEL_NAME, EPOCHS, CUDA_DEVICE; the data are found as the README says (ucinlp/drop)
local common = import 'common.libsonnet';
local reader(split) = { type: 'drop_reader', model_name: common.model_name, split_name: split };
common {
  dataset_reader: reader('train'),
  validation_dataset_reader: reader('test'),
  train_data_path: 'dummy',
  validation_data_path: 'dummy',
  model: { type: 'drop_model', model_name: common.model_name },
  data_loader: { batch_size: 1 },
  validation_data_loader: { batch_size: 8 },
  trainer+: {
    num_gradient_accumulation_steps: 8,
    validation_metric: '-loss',
    checkpointer: { keep_most_recent_by_count: 5 },
  },
}
