// DEFT's retrieval for several tasks in one pass over the pool: a folder for each. As retrieve.jsonnet, but for
// QUERY_READERS  names of dataset readers that know their data, with blanks between: "rte_reader cb_reader wic_reader"
// QUERY_SPLIT    train (the default), validation or test
// OVERLAP_SPLIT  the split of each task's evaluation: rows of the pool that are in it are left out (none by default)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local overlap = env.optional('OVERLAP_SPLIT', '');
local reader(name, split) = {
  type: name,
  model_name: env.optional('ENCODER_NAME', 'google/t5-xl-lm-adapt'),
  split_name: split,
  use_val_split: false,
};
retrieve {
  queries:: null,
  targets: {
    [name]: {
      path: 'dummy',
      reader: reader(name, env.optional('QUERY_SPLIT', 'train')),
      size: env.integer('QUERY_SIZE', 1000),
      [if overlap != '' then 'overlap']: { path: 'dummy', reader: reader(name, overlap) },
    }
    for name in std.split(env.required('QUERY_READERS'), ' ')
  },
}
