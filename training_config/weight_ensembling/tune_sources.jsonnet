// A sweep: each source is tuned a little on each target, for the measures `euclidean` and `performance`. Before:
// DIR/before/SOURCE={source},TARGET={target}/metrics.json; after: DIR/tuned/SOURCE={source},TARGET={target}.
//
// TARGETS   names of tasks of the gym, with spaces between;  SOURCES  those of the sources (TARGETS)
// DELTAS    where a source's delta is, with {SOURCE} in it: 'DIR/delta/TASK={SOURCE}'
// UPDATES, VALIDATE_EVERY  (200 and 50, as published)
// Others are those of tune.jsonnet, with the gym.
local env = import '../common/env.libsonnet';
local targets = env.required('TARGETS');
local updates = env.optional('UPDATES', '200');
local shared = { TASK: '{TARGET}', DELTA_WEIGHTS: env.required('DELTAS') };
{
  axes: {
    TARGET: std.split(targets, ' '),
    SOURCE: std.split(env.optional('SOURCES', targets), ' '),
  },
  steps: {
    untuned: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: shared { UPDATES: '0' },
    },
    before: {
      command: 'evaluate',
      archive: '{untuned}/model.tar.gz',
      input: env.required('GYM'),
    },
    tuned: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: shared { UPDATES: updates, VALIDATE_EVERY: env.optional('VALIDATE_EVERY', '50') },
    },
  },
}
