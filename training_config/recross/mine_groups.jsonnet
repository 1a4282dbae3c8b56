// ReCross's first tuples: rows of tasks of one group, against rows of other groups.
//
// POOL_PATH      the upstream rows
// SIZE           tuples, of which a tenth are for validation (30000)
// POSITIVES      rows of a tuple, and as many negative ones (8)
// RESERVED_SIZE  test tuples, of the seven hidden tasks (3000; 0: nothing is reserved)
// SEED           (7, as published)
local env = import '../common/env.libsonnet';
local lists = import '../../data/recross_tasks.json';
local reserved_size = env.integer('RESERVED_SIZE', 3000);
{
  pool: { path: env.required('POOL_PATH') },
  miner: {
    type: 'groups',
    groups: lists.groups,
    size: env.integer('SIZE', 30000),
    positives: env.integer('POSITIVES', 8),
    negatives: env.integer('POSITIVES', 8),
    [if reserved_size > 0 then 'reserved']: lists.hidden,
    [if reserved_size > 0 then 'reserved_size']: reserved_size,
    seed: env.integer('SEED', 7),
  },
  dev_share: 0.1,
}
