// A sweep: for each task a delta, tuned on all its rows. Those are the sources of the others: DELTAS='DIR/delta/TASK=*'.
//
// TASKS       their names, with spaces between
// GYM         a gym with TASK/TASK_fulldata_{train,dev}.tsv: training stops early, by the metric on the dev rows, as
//             published; or instead
// ROWS        a folder with TASK/train.jsonl, prompted rows {input, target}; or with {TASK} in it where each task's are
// VALIDATION_DATA_PATH  of these, with {TASK} in it: rows that training stops early by (none: no validation)
// METRIC      of the dev rows (fewshot_gym)
// BATCH_SIZE  rows an update (16, as published for sources)
// POOL_PATH   for retrieval_overlap: rows that each task's inputs retrieve, in DIR/rows/TASK=* (none); as deft/retrieve
// PROBE_PATH  for kernel_alignment: rows whose vectors each task's delta makes, in DIR/vectors/TASK=* (none)
// Others are those of tune.jsonnet.
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local named = if given('ROWS') then env.required('ROWS') else env.required('GYM') + '/{TASK}/{TASK}_fulldata_train.tsv';
local rows = if std.length(std.findSubstr('{TASK}', named)) > 0 then named else named + '/{TASK}/train.jsonl';
local metric = { METRIC: env.optional('METRIC', 'fewshot_gym') };
local batch_size = { BATCH_SIZE: if given('BATCH_SIZE') then env.required('BATCH_SIZE') else '16' };
assert given('ROWS') || !given('VALIDATION_DATA_PATH') :
       'VALIDATION_DATA_PATH is of ROWS, which is not set; a gym has dev rows of its own';
{
  axes: { TASK: std.split(env.required('TASKS'), ' ') },
  steps: {
    delta: {
      command: 'train',
      config: env.beside(std.thisFile, 'tune.jsonnet'),
      environment: batch_size + if !given('ROWS') then metric { SHOTS: '0', SHOT_SEED: '' } else {
        GYM: '',
        TRAIN_DATA_PATH: rows,
      } + if !given('VALIDATION_DATA_PATH') then {} else metric {
        VALIDATION_DATA_PATH: env.required('VALIDATION_DATA_PATH'),
      },
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
