// A sweep: each task of a few-shot gym, unseen ones above all, is tuned from the plain model and from what each mixture
// of experts makes of it (its route, squeezed); and the mixtures are tested on it as they are (zero-shot). The experts
// are layers or feed-forward networks. `allennlp report DIR --rows TASK --columns INIT --baseline INIT=base`.
//
// TASKS        names of tasks of the gym, with spaces between
// MODELS       a folder with INIT/model.tar.gz for each mixture
// INITS        base, learned (stage two) and baselines of stage_one.jsonnet (base learned uniform instance_random
//              task_random)
// RATES, BATCH_SIZES  of which the best on development counts (0.00001 0.00002 0.00005, and 2 4 8)
// SHOT_SEEDS   samples of the gym (13 21 42)
// EXPERTS      argmax, average: what is squeezed of learned routes (argmax)
// UNSEEN_TASKS a table with vectors of tasks that the mixtures do not know
// GYM, MODEL_NAME and others are those of tune.jsonnet (UPDATES, TASK_METRICS, ...).
local env = import '../common/env.libsonnet';
local words(name, default) = std.split(env.optional(name, default), ' ');
local inits = words('INITS', 'base learned uniform instance_random task_random');
local mixtures = std.filter(function(init) init != 'base', inits);
local archive = env.required('MODELS') + '/{INIT}/model.tar.gz';
local unseen = env.optional('UNSEEN_TASKS', '');
{
  axes: {
    TASK: std.split(env.required('TASKS'), ' '),
    INIT: inits,
    LEARNING_RATE: words('RATES', '0.00001 0.00002 0.00005'),
    BATCH_SIZE: words('BATCH_SIZES', '2 4 8'),
    SHOT_SEED: words('SHOT_SEEDS', '13 21 42'),
  },
  steps: {
    squeezed: {
      command: 'squeeze',
      config: 'squeeze.jsonnet',
      axes: ['TASK', 'INIT'],
      only: { INIT: mixtures },
      environment: { ARCHIVE: archive, SELECTOR: '{INIT}' },
    },
    tuned: {
      command: 'train',
      config: 'tune.jsonnet',
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
      only: { INIT: mixtures },
      overrides: {
        'validation_dataset_reader.task': '{TASK}',
        'validation_dataset_reader.task_split': null,
        'validation_dataset_reader.seeds': null,
        'validation_dataset_reader.split': 'test',
        'model.generation': { num_beams: 4, max_new_tokens: 64 },
        'model.metrics': [
          { type: 'fewshot_gym', task_metrics: env.optional('TASK_METRICS', 'data/few_shot_gym.json') },
        ],
        [if unseen != '' then 'model.unseen_tasks']: unseen,
      },
    },
  },
  repeat: ['SHOT_SEED'],
  choose: ['LEARNING_RATE', 'BATCH_SIZE'],
  development: 'tuned.best_validation_fewshot_gym',
  metrics: ['test.fewshot_gym', 'zero_shot.fewshot_gym'],
}
