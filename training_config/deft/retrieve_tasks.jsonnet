// DEFT's retrieval for several tasks in one pass over the pool: a folder for each. As retrieve.jsonnet, but for
// QUERY_READERS  names of dataset readers that know their data, with blanks between: "rte_reader cb_reader wic_reader"
// QUERY_SPLIT    train (the default), validation or test
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
retrieve {
  queries:: null,
  targets: {
    [name]: {
      path: 'dummy',
      reader: {
        type: name,
        model_name: env.optional('ENCODER_NAME', 'google/t5-xl-lm-adapt'),
        split_name: env.optional('QUERY_SPLIT', 'train'),
        use_val_split: false,
      },
      size: env.integer('QUERY_SIZE', 1000),
    }
    for name in std.split(env.required('QUERY_READERS'), ' ')
  },
}
