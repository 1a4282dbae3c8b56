// A sweep: for each task a delta, tuned on all its rows. Those are the sources of the others: DELTAS='DIR/delta/TASK=*'.
//
// TASKS       their names, with spaces between
// ROWS        a folder with TASK/train.jsonl, prompted rows {input, target}
// POOL_PATH   for retrieval_overlap: rows that each task's inputs retrieve, in DIR/rows/TASK=* (none); as deft/retrieve
// PROBE_PATH  for kernel_alignment: rows whose vectors each task's delta makes, in DIR/vectors/TASK=* (none)
// Others are those of tune.jsonnet.
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local rows = env.required('ROWS') + '/{TASK}/train.jsonl';
{
  axes: { TASK: std.split(env.required('TASKS'), ' ') },
  steps: {
    delta: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: { GYM: '', TRAIN_DATA_PATH: rows },
    },
    [if given('POOL_PATH') then 'rows']: {
      command: 'retrieve',
      config: env.beside(std.thisFile, '../deft/retrieve.jsonnet'),
      environment: { QUERY_PATH: rows },
    },
    [if given('PROBE_PATH') then 'vectors']: {
      command: 'embed',
      config: env.beside(std.thisFile, '../deft/embed.jsonnet'),
      environment: { POOL_PATH: env.required('PROBE_PATH'), ENCODER_NAME: env.required('MODEL_NAME') },
      overrides: { 'encoder.delta': '{delta}' },
    },
  },
}
