// DEFT's pool: the training split of the 313 prompt-tasks of P3 that T0 was trained on, 102,864,371 rows.
//
// P3_PATH       the hub's bigscience/P3, or a folder of its Parquet files, one folder a task
// P3_REVISION   the hub's branch of Parquet files: P3's own branch needs a loading script
// MAX_PER_TASK  at most so many rows of a task, drawn at random (all)
// SEED          of the shuffle and the samples (0)
local env = import '../common/env.libsonnet';
local cap = env.integer('MAX_PER_TASK', 0);
local tasks = std.filter(function(line) line != '', std.split(importstr '../../data/t0_prompt_tasks.txt', '\n'));
local source(task) = {
  type: 'datasets',
  path: env.optional('P3_PATH', 'bigscience/P3'),
  revision: env.optional('P3_REVISION', 'refs/convert/parquet'),
  data_dir: task,
  split: 'train',
  task: task,
  fields: { inputs_pretokenized: 'input', targets_pretokenized: 'target' },
};
{
  sources: std.map(source, tasks),
  [if cap > 0 then 'max_per_task']: cap,
  seed: env.integer('SEED', 0),
}
