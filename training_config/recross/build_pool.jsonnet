// ReCross's upstream rows as a pool {input, target, task, template, id}: 36 tasks of T0, at most 50,000 rows of each.
//
// POOL_SOURCE       a JSON list of its triples, or its JSON lines (bart0_upstream_train_lines.json); or prompted rows
//                   (.jsonl, .jsonl.gz, .parquet, or a folder of these)
// TASKS             a list of data/recross_tasks.json, whose rows to take: T0, T0p, T0pp, CSR_upstream (T0); all: every row
// EXCLUDE_TASKS     names, with blanks between: the targets, where they are among these
// EXCLUDE_TASKS_OF  files of targets, with blanks between: rows of their tasks are left out and counted
// METRICS_PATH      supported_metrics.json: rows of templates that exact match cannot evaluate are left out (none are)
// MAX_PER_TASK      at most so many rows of a task, drawn at random (50000); 0: all
// SEED              of the shuffle and the samples (0)
local env = import '../common/env.libsonnet';
local lists = import '../../data/recross_tasks.json';
local words(name) = std.filter(function(word) word != '', std.split(env.optional(name, ''), ' '));
local source = env.required('POOL_SOURCE');
local tasks = env.optional('TASKS', 'T0');
local metrics = env.optional('METRICS_PATH', '');
local cap = env.integer('MAX_PER_TASK', 50000);
local triples = { type: 'recross_triples', [if metrics != '' then 'metrics_path']: metrics };
local rows = if metrics == '' then { type: 'rows' } else error 'METRICS_PATH is for triples (.json)';
{
  sources: [(if std.endsWith(source, '.json') then triples else rows) { path: source }],
  [if tasks != 'all' then 'tasks']: lists[tasks],
  [if words('EXCLUDE_TASKS') != [] then 'exclude_tasks']: words('EXCLUDE_TASKS'),
  [if words('EXCLUDE_TASKS_OF') != [] then 'exclude_tasks_of']: words('EXCLUDE_TASKS_OF'),
  [if cap > 0 then 'max_per_task']: cap,
  seed: env.integer('SEED', 0),
}
