// A model trained on TRAIN_DATA_PATH; without it, the model as it is.
//
// MODEL_NAME, ROWS, TASK  (see sweep.jsonnet);  EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED  (3, 8, 0.001, 13)
// CUDA_DEVICE             (a GPU where there is one)
local env = import '../common/env.libsonnet';
local seed = env.integer('SEED', 13);
local rows = env.optional('TRAIN_DATA_PATH', '');
local development = env.required('ROWS') + '/' + env.required('TASK') + '/dev.jsonl';
{
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  dataset_reader: { type: 'p3_jsonl', model_name: env.required('MODEL_NAME') },
  train_data_path: if rows == '' then development else rows,
  validation_data_path: development,
  vocabulary: { type: 'empty' },
  model: { type: 'seq2seq', model_name: env.required('MODEL_NAME'), delta: { type: 'lora' } },
  data_loader: { batch_size: env.integer('BATCH_SIZE', 8), shuffle: true },
  trainer: if rows == '' then { type: 'no_op' } else {
    num_epochs: env.integer('EPOCHS', 3),
    optimizer: { type: 'adam', lr: env.number('LEARNING_RATE', 0.001) },
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
  },
}
