// ReCross's upstream rows as a pool {input, target, task, template, id}.
//
// POOL_SOURCE   a JSON list of its triples, or its JSON lines (bart0_upstream_train_lines.json)
// TASKS         a list of data/recross_tasks.json, whose rows to take: T0, T0p, T0pp, CSR_upstream (T0); all: every row
// MAX_PER_TASK  at most so many rows of a task, drawn at random (all)
// SEED          of the shuffle and the samples (0)
local env = import '../common/env.libsonnet';
local lists = import '../../data/recross_tasks.json';
local tasks = env.optional('TASKS', 'T0');
local cap = env.integer('MAX_PER_TASK', 0);
{
  sources: [{ type: 'recross_triples', path: env.required('POOL_SOURCE') }],
  [if tasks != 'all' then 'tasks']: lists[tasks],
  [if cap > 0 then 'max_per_task']: cap,
  seed: env.integer('SEED', 0),
}
