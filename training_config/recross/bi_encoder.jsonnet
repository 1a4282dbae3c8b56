// ReCross's trained index: two small networks over the vectors of the upstream model. DIR is the BI_ENCODER of
// retrieve.jsonnet.
//
// TUPLES_PATH           mined tuples {query_examples, positive_examples, negative_examples}
// VALIDATION_DATA_PATH  others: the precision among a tuple's candidates chooses the epoch (none: the last)
// BASE_ARM              whose vectors: bart0, vbart, sbert (bart0); MODEL_NAME as there
// EPOCHS, STEPS         16 epochs of 128 batches
// BATCH_SIZE            tuples a batch (4)
// NEGATIVES             of each tuple (8)
// LEARNING_RATE         (3e-3), a tenth of it from the middle on
// TEMPERATURE           (0.05)
// CUDA_DEVICE, SEED     (a GPU where there is one, 42)
local env = import '../common/env.libsonnet';
local number = env.number;
local validation = env.optional('VALIDATION_DATA_PATH', '');
local epochs = env.integer('EPOCHS', 16);
local seed = env.integer('SEED', 42);
{
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  dataset_reader: { type: 'tuples' },
  train_data_path: env.required('TUPLES_PATH'),
  [if validation != '' then 'validation_data_path']: validation,
  vocabulary: { type: 'empty' },
  model: {
    type: 'bi_encoder',
    encoder: (import 'encoders.libsonnet')[env.optional('BASE_ARM', 'bart0')],
    negatives: env.integer('NEGATIVES', 8),
    temperature: number('TEMPERATURE', '0.05'),
  },
  data_loader: {
    batch_size: env.integer('BATCH_SIZE', 4),
    shuffle: true,
    batches_per_epoch: env.integer('STEPS', 128),
  },
  validation_data_loader: { batch_size: env.integer('BATCH_SIZE', 4) },
  trainer: {
    num_epochs: epochs,
    optimizer: { type: 'adam', lr: number('LEARNING_RATE', '3e-3') },
    learning_rate_scheduler: { type: 'step', step_size: std.max(1, std.floor(epochs / 2)) },
    [if validation != '' then 'validation_metric']: '+precision',
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
  },
}
