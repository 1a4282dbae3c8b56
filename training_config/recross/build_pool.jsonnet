// ReCross's upstream rows as a pool {input, target, task, template, id}: 36 tasks of T0, at most 50,000 rows of each.
//
// POOL_SOURCE    a JSON list of its triples, or its JSON lines (bart0_upstream_train_lines.json)
// TASKS          a list of data/recross_tasks.json, whose rows to take: T0, T0p, T0pp, CSR_upstream (T0); all: every row
// EXCLUDE_TASKS  names, with blanks between: the targets, where they are among these
// METRICS_PATH   supported_metrics.json: rows of templates that exact match cannot evaluate are left out (none are)
// MAX_PER_TASK   at most so many rows of a task, drawn at random (50000); 0: all
// SEED           of the shuffle and the samples (0)
local env = import '../common/env.libsonnet';
local lists = import '../../data/recross_tasks.json';
local tasks = env.optional('TASKS', 'T0');
local exclude = env.optional('EXCLUDE_TASKS', '');
local metrics = env.optional('METRICS_PATH', '');
local cap = env.integer('MAX_PER_TASK', 50000);
{
  sources: [
    {
      type: 'recross_triples',
      path: env.required('POOL_SOURCE'),
      [if metrics != '' then 'metrics_path']: metrics,
    },
  ],
  [if tasks != 'all' then 'tasks']: lists[tasks],
  [if exclude != '' then 'exclude_tasks']: std.split(exclude, ' '),
  [if cap > 0 then 'max_per_task']: cap,
  seed: env.integer('SEED', 0),
}
