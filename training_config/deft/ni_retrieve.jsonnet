// DEFT's retrieval for Super-NaturalInstructions: 12 test tasks, a folder for each by its category. Queries are the bare
// inputs of a task, without definition and examples. As retrieve.jsonnet, but for
// NI_PATH        a copy of the repository allenai/natural-instructions
// NUM_NEIGHBORS  rows a query finds (1000)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local tasks = std.filter(function(line) line != '', std.split(importstr '../../data/deft_ni_tasks.tsv', '\n'));
local queries(task) = {
  path: env.required('NI_PATH'),
  reader: {
    type: 'ni_reader',
    model_name: env.optional('ENCODER_NAME', env.optional('MODEL_NAME', 'google/t5-xl-lm-adapt')),
    split_name: 'test',
    tasks: [task],
    add_task_definition: false,
  },
  size: env.integer('QUERY_SIZE', 1000),
};
retrieve {
  queries:: null,
  targets: { [std.split(line, '\t')[0]]: queries(std.split(line, '\t')[1]) for line in tasks },
  neighbours: env.integer('NUM_NEIGHBORS', 1000),
}
