// A pool of prompted rows {input, target, task, template, id} (POOL_PATH of retrieve.jsonnet: DIR/pool.jsonl).
//
// POOL_SOURCE   a JSONL, JSONL.gz or Parquet file of them, or a folder of such files
// MAX_PER_TASK  at most so many rows of a task, drawn at random (all)
// SEED          of the shuffle and the samples (0)
local env = import '../common/env.libsonnet';
local cap = env.integer('MAX_PER_TASK', 0);
{
  sources: [{ type: 'rows', path: env.required('POOL_SOURCE') }],
  [if cap > 0 then 'max_per_task']: cap,
  seed: env.integer('SEED', 0),
}
