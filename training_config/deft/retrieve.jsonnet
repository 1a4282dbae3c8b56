// DEFT's retrieval, without its index: the union of each query's 500 nearest rows by a T5 encoder's mean state.
//
// POOL_PATH      prompted rows {input, target, task, ...}
// QUERY_PATH     up to QUERY_SIZE (1000) prompted inputs of the target, {input}; labels are not looked at
// RETRIEVER      exact (the default), bm25, random or balanced_random
// NUM_NEIGHBORS  rows a query finds (500)
// ENCODER_NAME   of exact; VECTORS_PATH what embed.jsonnet wrote with it, if it did
local env = import '../common/env.libsonnet';
local vectors = env.optional('VECTORS_PATH', '');
local retrievers = {
  exact: { metric: 'l2', encoder: import 'encoder.libsonnet', [if vectors != '' then 'vectors']: vectors },
  random: { seed: env.integer('SEED', 0) },
  balanced_random: self.random,
};
local retriever = env.optional('RETRIEVER', 'exact');
{
  pool: { path: env.required('POOL_PATH') },
  queries: {
    path: env.required('QUERY_PATH'),
    reader: { type: 'p3_jsonl' },
    size: env.integer('QUERY_SIZE', 1000),
  },
  retriever: { type: retriever } + std.get(retrievers, retriever, {}),
  neighbours: env.integer('NUM_NEIGHBORS', 500),
  aggregator: { type: 'frequency' },
}
