// A sweep: for each task the model as it is, trained on random rows of a pool, and on rows that BM25 finds; how fast it
// learns is chosen on development rows. Then: allennlp report DIR --rows TASK --columns ARM --baseline ARM=none -s page
//
// TASKS  names with spaces between;  ROWS  a folder with TASK/queries.jsonl, TASK/dev.jsonl, TASK/test.jsonl
// RATES, SEEDS  (0.001 0.0005, and 13 42)
// Others are those of retrieve.jsonnet and train.jsonnet (POOL_PATH, MODEL_NAME, SIZE, ...).
local env = import '../common/env.libsonnet';
local words(name, default) = std.split(env.optional(name, default), ' ');
{
  axes: {
    TASK: std.split(env.required('TASKS'), ' '),
    ARM: ['none', 'random', 'bm25'],
    LEARNING_RATE: words('RATES', '0.001 0.0005'),
    SEED: words('SEEDS', '13 42'),
  },
  steps: {
    rows: {
      command: 'retrieve',
      config: env.beside(std.thisFile, 'retrieve.jsonnet'),
      axes: ['TASK', 'ARM', 'SEED'],
      only: { ARM: ['random', 'bm25'] },
    },
    // Where no rows are made TRAIN_DATA_PATH is not set, and nothing is trained.
    model: {
      command: 'train',
      config: env.beside(std.thisFile, 'train.jsonnet'),
      environment: { TRAIN_DATA_PATH: '{rows}/retrieved.jsonl' },
    },
    test: {
      command: 'evaluate',
      archive: '{model}/model.tar.gz',
      input: env.required('ROWS') + '/{TASK}/test.jsonl',
    },
  },
  repeat: ['SEED'],
  choose: ['LEARNING_RATE'],
  development: 'model.best_validation_accuracy',
  metrics: ['test.accuracy'],
}
