// A sweep: a probe over the features of one checkpoint of a zoo, for each of these.
//
// CHECKPOINTS  names, with spaces between
// FEATURES     a pattern of folders of `allennlp embed` with the words of the task's files: 'DIR/words/CHECKPOINT=*'
// SEEDS        (0 1 2)
// TASK, TRAIN_DATA_PATH, VALIDATION_DATA_PATH, TEST_DATA_PATH and others are those of probe.jsonnet.
local env = import '../common/env.libsonnet';
local metric = std.lstripChars((import 'probe_tasks.libsonnet').settings(env.required('TASK')).best, '+');
{
  axes: {
    // As the folders are called: those of hub ids have no slash.
    CHECKPOINT: std.split(std.strReplace(env.required('CHECKPOINTS'), '/', '%2F'), ' '),
    SEED: std.map(std.parseInt, std.split(env.optional('SEEDS', '0 1 2'), ' ')),
  },
  steps: {
    probe: {
      command: 'train',
      config: env.beside(std.thisFile, 'probe.jsonnet'),
      environment: { FEATURES: std.strReplace(env.required('FEATURES'), '*', '{CHECKPOINT}'), SELECTED: '' },
    },
  },
  repeat: ['SEED'],
  development: 'probe.best_validation_' + metric,
  metrics: ['probe.test_' + metric],
}
