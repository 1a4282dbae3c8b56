// A sweep: each task of a few-shot gym is tuned from scratch and from the merge of all other tasks' deltas, weighted by
// each measure. `allennlp report DIR --rows TASK --columns INIT --baseline INIT=scratch` shows which start won.
//
// TASKS       names of tasks of the gym, with spaces between
// INITS       scratch, weightings (uniform, group, learned) and measures, with spaces between (scratch uniform loss)
// SHOT_SEEDS  samples of the gym (13 21 42)
// SEEDS       those whose rows measures and `learned` look at (the first)
// RATES       learning rates, of which the best on each sample's development rows counts (5e-4)
// BATCH_SIZE  the same, with spaces between (8)
// UPDATES     at most; of several, '0 1000', each is a row of the results: 0 is a start as it is, zero-shot (100000)
// GYM, DELTAS, MODEL_NAME and others are those of similarity.jsonnet (TARGET_DELTAS, BEFORE, AFTER, ...), of
// ensemble.jsonnet (CATEGORIES, MERGER, ...) and of tune.jsonnet (UPDATES, METRIC, ...).
local env = import '../common/env.libsonnet';
local inits = std.split(env.optional('INITS', 'scratch uniform loss'), ' ');
local merged = std.filter(function(init) init != 'scratch', inits);
local measured = std.filter(function(init) !std.member(['uniform', 'group', 'learned'], init), merged);
local metric = env.optional('METRIC', 'fewshot_gym');
local listed(name) = std.split(env.optional(name, ''), ' ');
local several(name) = std.length(listed(name)) > 1;
local trains = listed('UPDATES') != ['0'];
local to_choose(values) = if trains then values else [values[0]];
local shot_seeds = std.split(env.optional('SHOT_SEEDS', '13 21 42'), ' ');
// No start may see more labelled rows than a few-shot training does.
local seeds = env.optional('SEEDS', shot_seeds[0]);
{
  axes: {
    TASK: std.split(env.required('TASKS'), ' '),
    INIT: inits,
    LEARNING_RATE: to_choose(std.split(env.optional('RATES', '5e-4'), ' ')),
    SHOT_SEED: shot_seeds,
    [if several('BATCH_SIZE') then 'BATCH_SIZE']: to_choose(listed('BATCH_SIZE')),
    [if several('UPDATES') then 'UPDATES']: listed('UPDATES'),
  },
  steps: {
    similarity: {
      command: 'similarity',
      config: env.beside(std.thisFile, 'similarity.jsonnet'),
      axes: ['INIT'],
      only: { INIT: measured },
      environment: {
        MEASURE: '{INIT}',
        METRIC: metric,
        TARGETS: env.required('GYM'),
        TARGET_NAMES: env.required('TASKS'),
        SEEDS: seeds,
      },
    },
    merged: {
      command: 'ensemble',
      config: env.beside(std.thisFile, 'ensemble.jsonnet'),
      axes: ['INIT'],
      only: { INIT: merged },
      environment: {
        WEIGHTING: '{INIT}',
        SIMILARITY: '{similarity}/similarity.npz',
        TARGETS: env.required('TASKS'),
        EXAMPLES: env.required('GYM'),
        SEEDS: seeds,
      },
    },
    tuned: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: { DELTA_WEIGHTS: '{merged}/{TASK}' },
    },
    test: {
      command: 'evaluate',
      archive: '{tuned}/model.tar.gz',
      input: env.required('GYM'),
      overrides: { 'validation_dataset_reader.split': 'test' },
    },
  },
  repeat: ['SHOT_SEED'],
  [if trains then 'choose']: ['LEARNING_RATE'] + if several('BATCH_SIZE') then ['BATCH_SIZE'] else [],
  // As published: the best of each sample. Of all samples together: -o '{choose_within: null}'.
  [if trains then 'choose_within']: 'SHOT_SEED',
  [if trains then 'development']: 'tuned.best_validation_' + metric,
  metrics: ['test.' + metric],
}
