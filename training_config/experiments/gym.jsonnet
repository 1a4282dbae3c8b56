// Few-shot tasks from split_tasks.py's rows: 16 of each answer to train on, of questions 64, and as many for development.
//
// ROWS   split_tasks.py's folder
// SEEDS  a sample for each (13 21 42)
local env = import '../common/env.libsonnet';
local tasks = import 'tasks.libsonnet';
{
  tasks: {
    [name]: {
      reader: { type: 'p3_jsonl' },
      train_data_path: '%s/%s/train.jsonl' % [env.required('ROWS'), name],
      test_data_path: '%s/%s/test.jsonl' % [env.required('ROWS'), name],
      per_class: tasks[name].group != 'questions',
      shots: if self.per_class then 16 else 64,
    }
    for name in std.objectFields(tasks)
  },
  seeds: std.map(std.parseInt, std.split(env.optional('SEEDS', '13 21 42'), ' ')),
  allow_fewer_shots: true,
}
