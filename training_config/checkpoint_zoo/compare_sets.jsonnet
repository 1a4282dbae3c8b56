// A sweep: a probe over the features of K checkpoints of a zoo, chosen in several ways. `allennlp report DIR --rows K
// --columns SELECTOR` compares them.
//
// COVARIANCE_PATH   the similarity.npz of the checkpoints
// FEATURES   a pattern of folders of `allennlp embed` with the words of the task's files: 'DIR/words/CHECKPOINT=*'
// SELECTORS  with spaces between (mmi random)
// KS         sizes of sets, with spaces between (1 2 3 4 5)
// ROUNDS     random sets of each size, a probe of its own seed for each (10); other selectors choose one set, which is
//            probed as often
// Over random fractions of the training sentences: -o '{"axes.FRACTION": [0.1, 0.5, 1], "steps.probe.overrides":
// {"dataset_reader.fraction": "{FRACTION}"}}'
// TASK, TRAIN_DATA_PATH, VALIDATION_DATA_PATH, TEST_DATA_PATH and others are those of probe.jsonnet and select.jsonnet.
local env = import '../common/env.libsonnet';
local metric = std.lstripChars((import 'probe_tasks.libsonnet').settings(env.required('TASK')).best, '+');
{
  axes: {
    SELECTOR: std.split(env.optional('SELECTORS', 'mmi random'), ' '),
    K: std.map(std.parseInt, std.split(env.optional('KS', '1 2 3 4 5'), ' ')),
    ROUND: std.range(0, env.integer('ROUNDS', 10) - 1),
  },
  steps: {
    chosen: { command: 'select', config: env.beside(std.thisFile, 'select.jsonnet') },
    probe: {
      command: 'train',
      config: env.beside(std.thisFile, 'probe.jsonnet'),
      environment: { SELECTED: '{chosen}/selected.json', SEED: '{ROUND}' },
    },
  },
  repeat: ['ROUND'],
  development: 'probe.best_validation_' + metric,
  metrics: ['probe.test_' + metric],
}
