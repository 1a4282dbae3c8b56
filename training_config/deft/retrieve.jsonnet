// DEFT's retrieval: the union of each query's 500 nearest rows by a T5 encoder's mean state.
//
// POOL_PATH      prompted rows {input, target, task, ...}
// QUERY_PATH     up to QUERY_SIZE (1000) prompted inputs of the target, {input}; labels are not looked at
// RETRIEVER      exact (the default), faiss, deft (faiss's index as published, OPQ8_512,HNSW512,PQ8), bm25, lucene, random or
//                balanced_random
// NUM_NEIGHBORS  rows a query finds (500)
// SIZE           rows in all: those first that most queries found (by default the union, as published)
// OVERLAP_PATH   the target's evaluation, {input}: rows of the pool that are in it are left out (none by default)
// ENCODER_NAME   of exact and faiss; VECTORS_PATH what embed.jsonnet wrote with it, if it did
// INDEX_PATH     where faiss, bm25 and lucene keep their index for the next target; ENGINE in_process or ray
local env = import '../common/env.libsonnet';
local vectors = env.optional('VECTORS_PATH', '');
local index = env.optional('INDEX_PATH', '');
local dense = { metric: 'l2', encoder: import 'encoder.libsonnet', [if vectors != '' then 'vectors']: vectors };
local indexed = { [if index != '' then 'index']: index };
local seeded = { seed: env.integer('SEED', 0) };
local settings = {
  exact: dense,
  faiss: dense + indexed,
  deft: dense + indexed + { type: 'faiss', factory: 'deft' },
  bm25: indexed,
  lucene: indexed,
  random: seeded,
  balanced_random: seeded,
};
local overlap = env.optional('OVERLAP_PATH', '');
local size = env.integer('SIZE', 0);
local retriever = env.optional('RETRIEVER', 'exact');
{
  pool: { path: env.required('POOL_PATH') },
  queries: {
    path: env.required('QUERY_PATH'),
    reader: { type: 'p3_jsonl' },
    size: env.integer('QUERY_SIZE', 1000),
    [if overlap != '' then 'overlap']: { path: overlap },
  },
  retriever: { type: retriever } + std.get(settings, retriever, {}),
  neighbours: env.integer('NUM_NEIGHBORS', 500),
  aggregator: { type: 'frequency', [if size > 0 then 'size']: size },
  engine: env.optional('ENGINE', 'in_process'),
}
