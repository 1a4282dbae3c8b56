// A sweep: each task of a few-shot gym, unseen ones above all, is tuned from what each mixture of experts makes of it
// (its route, squeezed: a model or, of LoRA and adapter experts, a delta); and the mixtures are tested on it as they are
// (zero-shot). `allennlp report DIR --rows TASK --columns INIT --baseline INIT=multi_task`.
//
// TASKS        names of tasks of the gym, with spaces between
// MODELS       a folder with INIT/model.tar.gz for each mixture
// INITS        names there: baselines by the SELECTOR of stage_one.jsonnet that they were trained with, others as one
//              likes (multi_task base uniform instance_random task_random stage_one stage_two)
// RATES, BATCH_SIZES  of which the best on each sample's development rows count (0.00001 0.00002 0.00005, and 2 4 8)
// SHOT_SEEDS   samples of the gym (13 21 42)
// WAY          argmax, average: what is squeezed of learned routes (argmax)
// UNSEEN_TASKS a table with vectors of tasks that the mixtures do not know
// GYM, MODEL_NAME, METRIC and others are those of tune.jsonnet (UPDATES, TASK_METRICS, ...).
local env = import '../common/env.libsonnet';
local words(name, default) = std.split(env.optional(name, default), ' ');
local archive = env.required('MODELS') + '/{INIT}/model.tar.gz';
local unseen = env.optional('UNSEEN_TASKS', '');
local metric = env.optional('METRIC', 'fewshot_gym');
local writes = metric == 'fewshot_gym';
{
  axes: {
    TASK: std.split(env.required('TASKS'), ' '),
    INIT: words('INITS', 'multi_task base uniform instance_random task_random stage_one stage_two'),
    LEARNING_RATE: words('RATES', '0.00001 0.00002 0.00005'),
    BATCH_SIZE: words('BATCH_SIZES', '2 4 8'),
    SHOT_SEED: words('SHOT_SEEDS', '13 21 42'),
  },
  steps: {
    squeezed: {
      command: 'squeeze',
      config: env.beside(std.thisFile, 'squeeze.jsonnet'),
      axes: ['TASK', 'INIT'],
      environment: { ARCHIVE: archive, SELECTOR: '{INIT}' },
    },
    tuned: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: { SQUEEZED: '{squeezed}' },
    },
    test: {
      command: 'evaluate',
      archive: '{tuned}/model.tar.gz',
      input: env.required('GYM'),
      overrides: { 'validation_dataset_reader.split': 'test' },
    },
    zero_shot: {
      command: 'evaluate',
      archive: archive,
      input: env.required('GYM'),
      axes: ['TASK', 'INIT'],
      overrides: {
        'validation_dataset_reader.task': '{TASK}',
        'validation_dataset_reader.task_split': null,
        'validation_dataset_reader.seeds': null,
        'validation_dataset_reader.split': 'test',
        [if !writes then 'validation_dataset_reader.options']: 'task',
        [if writes then 'model.generation']: { num_beams: env.integer('BEAMS', 4), max_new_tokens: 64 },
        [if writes then 'model.metrics']: [
          { type: 'fewshot_gym', task_metrics: env.optional('TASK_METRICS', env.beside(std.thisFile, '../../data/few_shot_gym.json')) },
        ],
        [if unseen != '' then 'model.unseen_tasks']: unseen,
      },
    },
  },
  repeat: ['SHOT_SEED'],
  choose: ['LEARNING_RATE', 'BATCH_SIZE'],
  // As published: the best of each sample. Of all samples together: -o '{choose_within: null}'.
  choose_within: 'SHOT_SEED',
  development: 'tuned.best_validation_' + metric,
  metrics: ['test.' + metric, 'zero_shot.' + metric],
}
