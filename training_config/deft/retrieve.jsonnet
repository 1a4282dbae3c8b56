// DEFT's retrieval, without its index: the union of each query's 500 nearest rows by a T5 encoder's mean state.
//
// POOL_PATH     prompted rows {input, target, task, ...}
// QUERIES_PATH  up to QUERY_SIZE (1000) prompted inputs of the target, {input}; labels are not looked at
// ENCODER_NAME, NEIGHBOURS
local env = import '../common/env.libsonnet';
{
  pool: { path: env.required('POOL_PATH') },
  queries: {
    path: env.required('QUERIES_PATH'),
    reader: { type: 'p3_jsonl' },
    size: env.integer('QUERY_SIZE', 1000),
  },
  retriever: {
    type: 'exact',
    metric: 'l2',
    encoder: { type: 'masked_mean', model_name: env.optional('ENCODER_NAME', 'google/t5-xl-lm-adapt') },
  },
  neighbours: env.integer('NEIGHBOURS', 500),
  aggregator: { type: 'frequency' },
}
