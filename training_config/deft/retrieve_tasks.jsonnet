// DEFT's retrieval for several tasks in one pass over the pool: a folder for each. As retrieve.jsonnet, but for
// QUERY_READERS  names of dataset readers that know their data, with blanks between: "rte_reader cb_reader wic_reader"
// QUERY_SPLIT    train, validation or test; by default the published one of each: train, but of CaseHOLD and DROP the
//                thousand validation rows that are not evaluated
// OVERLAP_SPLIT  the split of each task's evaluation: rows of the pool that are in it are left out (none by default);
//                `validation` of CaseHOLD and DROP is what their queries leave
// In a configuration that imports this one: prompts (fixed; faithful for the published ones also where they are wrong)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local tasks = import 'tasks.libsonnet';
local overlap = env.optional('OVERLAP_SPLIT', '');
local model = env.optional('ENCODER_NAME', 'google/t5-xl-lm-adapt');
retrieve {
  prompts:: 'fixed',
  queries:: null,
  local prompts = self.prompts,
  targets: {
    [name]: {
      path: 'dummy',
      reader: tasks.queries(name, model, env.optional('QUERY_SPLIT', ''), prompts),
      size: env.integer('QUERY_SIZE', 1000),
      [if overlap != '' then 'overlap']: { path: 'dummy', reader: tasks.evaluation(name, model, overlap, prompts) },
    }
    for name in std.split(env.required('QUERY_READERS'), ' ')
  },
}
