// Rows of a pool for a task: SIZE of them.
//
// POOL_PATH, ROWS, TASK  (see sweep.jsonnet);  ARM  random or bm25 (bm25);  SIZE, SEED  (200, 13)
local env = import '../common/env.libsonnet';
local seed = env.integer('SEED', 13);
local arm = env.optional('ARM', 'bm25');
{
  seed: seed,
  pool: { path: env.required('POOL_PATH') },
  queries: { path: env.required('ROWS') + '/' + env.required('TASK') + '/queries.jsonl', reader: { type: 'p3_jsonl' } },
  retriever: if arm == 'random' then { type: arm, seed: seed } else { type: arm },
  aggregator: { type: 'frequency', size: env.integer('SIZE', 200) },
}
