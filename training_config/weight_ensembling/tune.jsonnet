// Tune a delta on one task, as weight ensembling does: Adafactor with a fixed rate, a validation every so many updates,
// early stopping. The directory is then a delta's folder, of the best validation. Of many of them: DELTAS='runs/*'.
//
// GYM, TASK         a few-shot gym's folder and the task in it; or instead
// TRAIN_DATA_PATH   prompted rows {input, target, answer_choices}, of TASK
// VALIDATION_DATA_PATH  the same (none: no validation)
// SHOTS, SHOT_SEED  which of the gym's files, where there are several
// MODEL_NAME        a hub id or a local folder;  MODEL_TYPE  seq2seq, causal_lm (seq2seq)
// DELTA             adapter, lora, prefix, ia3, as published (deltas.libsonnet), or any other method (adapter);
//                   legacy_prefix: keys and values in the order of the published program's prefixes
// SIZE              an adapter's width (12), LoRA's rank (10), a prefix's or prompt's length (120)
// TARGET_MODULES    the layers' names (what the method takes by default: on a T5 what is published)
// DELTA_WEIGHTS     the folder of a delta to start from: a merge, a source (none: from scratch)
// UPDATES           at most (100000); 0: no training, an archive of the delta as it is
// VALIDATE_EVERY    so many updates, a divisor of UPDATES (100)
// PATIENCE          validations without improvement (10)
// TIES              true: an equal validation is an improvement, as published (true)
// METRIC            fewshot_gym: what the model writes, by the task's own metric; another metric of texts, by its name;
//                   accuracy, macro_f1: how a row's options rank (in a gym the answers of training rows); loss
//                   (fewshot_gym; of prompted rows accuracy)
// TASK_METRICS      a JSON of tasks and metrics (data/few_shot_gym.json)
// INPUT_PREFIX, ANSWER_PREFIX, MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  how rows are written (../common/format.libsonnet)
//                   (prompted rows without TASK have no INPUT_PREFIX by default)
// LEARNING_RATE     (5e-4);  SCHEDULE  constant, as published, or linear, down to 0 (constant)
// WARMUP            updates (0; the published one is never applied)
// BATCH_SIZE        rows an update (8); above 16, a multiple of it: that many at a time
// SEED, CUDA_DEVICE (42, a GPU where there is one)
//
// The test rows of a gym: allennlp evaluate DIR/model.tar.gz GYM -o '{"validation_dataset_reader.split": "test"}'
local deltas = import '../common/deltas.libsonnet';
local env = import '../common/env.libsonnet';
local format = import '../common/format.libsonnet';
local gym_tasks = import '../../data/few_shot_gym.json';
local given(name) = env.optional(name, '') != '';
local number = env.number;
local words(name) = std.split(env.required(name), ' ');

local model_name = env.required('MODEL_NAME');
local model_type = env.optional('MODEL_TYPE', 'seq2seq');
local seed = env.integer('SEED', 42);
local updates = env.integer('UPDATES', 100000);
local validate_every = env.integer('VALIDATE_EVERY', 100);
local learning_rate = number('LEARNING_RATE', '5e-4');
local schedule = env.optional('SCHEDULE', 'constant');
local batch_size = env.integer('BATCH_SIZE', 8);
local rows_at_once = std.min(batch_size, 16);
local metric = env.optional('METRIC', if given('GYM') then 'fewshot_gym' else 'accuracy');
local ranks = std.member(['accuracy', 'precision', 'recall', 'micro_f1', 'macro_f1'], metric);
local writes = !ranks && metric != 'loss';
local task_metrics = env.optional('TASK_METRICS', env.beside(std.thisFile, '../../data/few_shot_gym.json'));

local method = env.optional('DELTA', 'adapter');
local sizes = {
  adapter: 'size',
  houlsby: 'size',
  pfeiffer: 'size',
  parallel: 'size',
  mix_and_match: 'size',
  lora: 'r',
  prefix: 'num_virtual_tokens',
  legacy_prefix: 'num_virtual_tokens',
  prompt: 'num_virtual_tokens',
};
local delta = std.get(deltas, method, { type: method }) {
  target_modules:: null,
  [if given('SIZE') then std.get(sizes, method, error 'SIZE: the method ' + method + ' has none')]: number('SIZE', ''),
  [if given('DELTA_WEIGHTS') then 'weights']: env.required('DELTA_WEIGHTS'),
} + (if given('TARGET_MODULES') then { target_modules::: words('TARGET_MODULES') } else {})
  + (if model_type == 'causal_lm' then { encoder:: null } else {});

local gym(split) = format {
  type: 'fewshot_gym',
  model_name: model_name,
  task: env.required('TASK'),
  split: split,
  [if given('SHOTS') then 'shots']: number('SHOTS', ''),
  [if given('SHOT_SEED') then 'seeds']: [number('SHOT_SEED', '')],
  [if ranks then 'options']: 'task',
  [if split == 'train' then 'answer']: 'random',
};
local rows = format {
  type: 'p3_jsonl',
  model_name: model_name,
  [if given('TASK') then 'task']: env.required('TASK'),
  input_prefix: if given('TASK') then super.input_prefix else env.optional('INPUT_PREFIX', ''),
};

assert updates >= 0 && validate_every > 0 && updates % validate_every == 0 :
       'UPDATES is %d; VALIDATE_EVERY, %d, must divide it' % [updates, validate_every];
assert batch_size > 0 && batch_size % rows_at_once == 0 :
       'BATCH_SIZE is %d; up to 16, or a multiple of it' % batch_size;
assert std.member(['constant', 'linear'], schedule) : 'SCHEDULE is %s; constant and linear are possible' % schedule;
assert metric != 'fewshot_gym' || given('TASK_METRICS') || std.objectHas(gym_tasks, env.required('TASK')) :
       'TASK %s has no metric in data/few_shot_gym.json: set METRIC or TASK_METRICS' % env.required('TASK');
{
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  dataset_reader: if given('GYM') then gym('train') else rows,
  validation_dataset_reader: if given('GYM') then gym('dev') else rows,
  train_data_path: if given('GYM') then env.required('GYM') else env.required('TRAIN_DATA_PATH'),
  [if given('GYM') || given('VALIDATION_DATA_PATH') then 'validation_data_path']:
    if given('GYM') then env.required('GYM') else env.required('VALIDATION_DATA_PATH'),
  vocabulary: { type: 'empty' },
  model: {
    type: model_type,
    model_name: model_name,
    delta: delta,
    [if writes then 'generation']: { max_new_tokens: 64, num_beams: 1, do_sample: false },
    [if writes then 'metrics']: [
      // As published, a prediction that is no class is no class of its own.
      if metric == 'fewshot_gym' then { type: metric, task_metrics: task_metrics, classes: 'gold' }
      else if metric == 'classification_f1' then { type: metric, classes: 'gold' }
      else metric,
    ],
  },
  data_loader: {
    batch_size: rows_at_once,
    shuffle: true,
    // An epoch ends with a validation, not with the rows: the next one goes on among them.
    batches_per_epoch: validate_every * batch_size / rows_at_once,
    // The rows are read anew each time they have all been seen: with other answers, where a row has several.
    max_instances_in_memory: 400000,
    quiet: true,
  },
  validation_data_loader: { batch_size: 80 },
  evaluation: { batch_serializer: { type: 'rows' } },
  trainer: if updates == 0 then { type: 'no_op' } else {
    num_epochs: updates / validate_every,
    num_gradient_accumulation_steps: batch_size / rows_at_once,
    patience: env.integer('PATIENCE', 10),
    validation_metric: (if metric == 'loss' then '-' else '+') + metric,
    optimizer: {
      type: 'huggingface_adafactor',
      lr: learning_rate,
      relative_step: false,
      scale_parameter: false,
      warmup_init: false,
      weight_decay: 0.0,
    },
    learning_rate_scheduler: {
      type: 'polynomial_decay',  // By updates: AllenNLP steps its constant_with_warmup by epochs.
      warmup_steps: env.integer('WARMUP', 0),
      end_learning_rate: if schedule == 'linear' then 0.0 else learning_rate,
    },
    grad_norm: 0.1,
    callbacks: ['save_delta'] + if env.optional('TIES', 'true') == 'true' then ['ties_improve'] else [],
    checkpointer: { keep_most_recent_by_count: 1 },
    enable_default_callbacks: false,
    cuda_device: env.cuda_device(),
  },
}
