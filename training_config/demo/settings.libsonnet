// What the demo's configurations share.
local env = import '../common/env.libsonnet';
local name = env.optional('TARGET', 'tweets');
local target = (import 'targets.libsonnet')[name];
local cache = env.required('DEMO_CACHE');
{
  seed: env.integer('SEED', 0),
  pool: cache + '/pool.jsonl',
  encoder: cache + '/encoder',
  model: cache + '/model',
  folder: cache + '/targets/' + name,
  exclude_tasks: target.exclude_tasks,
  reader: {
    type: 'prompted_reader',
    model_name: $.model,
    template: target.template,
    options: target.options,
    end_of_sequence: false,
    max_query_length: 256,
  },
}
