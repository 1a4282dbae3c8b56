// T-Few (Liu et al., 2022): IA3 on few shots by three losses: of the right option, unlikelihood and length-normalised.
// Adafactor, 1,000 steps of 8 rows, a linear warm-up and decay; options are ranked by the mean of their tokens'
// log-likelihoods. Leaves the delta's folder, too. With both losses off it is DEFT's few-shot training.
//
// TRAIN_DATA_PATH    20 to 70 prompted rows {input, target, answer_choices}
// VALIDATION_DATASET_READER_NAME  a task's reader, which knows its data; or
// VALIDATION_DATA_PATH            a file of prompted rows; or neither: no validation
// WEIGHTS_NAME       a state dict to start from, of DEFT's training (the model as it is)
// DELTA_WEIGHTS      the folder of IA3 vectors to start from, as T-Few's pretrained ones (from scratch)
// UNLIKELIHOOD, LENGTH_NORMALIZED  the weights of two losses (1, 1); without the latter options are ranked by the sum
// LEARNING_RATE, STEPS, WARMUP, BATCH_SIZE  (3e-3, 1000, 60, 8);  SEED  (42)
// MODEL_NAME, CUDA_DEVICE
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local given(name) = env.optional(name, '') != '';
local number = env.number;
local task = env.optional('VALIDATION_DATASET_READER_NAME', '');
local file = env.optional('VALIDATION_DATA_PATH', '');
local seed = env.integer('SEED', 42);
local length_normalized = number('LENGTH_NORMALIZED', '1');
local recipe = import 'ia3_train.jsonnet';
recipe {
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  model+: {
    [if given('WEIGHTS_NAME') then 'load_from_file']: env.required('WEIGHTS_NAME'),
    [if given('DELTA_WEIGHTS') then 'delta']: { type: 'ia3', weights: env.required('DELTA_WEIGHTS') },
    unlikelihood_weight: number('UNLIKELIHOOD', '1'),
    length_normalized_weight: length_normalized,
    option_score: if length_normalized > 0 then 'mean' else 'sum',
  },
  data_loader+: { batch_size: env.integer('BATCH_SIZE', 8) },
  trainer+: {
    optimizer+: { lr: number('LEARNING_RATE', '3e-3') },
    learning_rate_scheduler+: { warmup_steps: env.integer('WARMUP', 60) },
  },
} + if task != '' then {} else if file != '' then {
  validation_dataset_reader: recipe.dataset_reader,
  validation_data_path: file,
} else { validation_dataset_reader:: null, validation_data_path:: null }
