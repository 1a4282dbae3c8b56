// By its reader a task of words: the reader's settings, the metric, and what is best by it.
// ANCESTOR, ENCODING  see probe.jsonnet
local env = import '../common/env.libsonnet';
local accuracy = { metric: { type: 'accuracy', at: [3] }, best: '+accuracy' };
local tasks = {
  conll2000_chunking: { metric: { type: 'span_f1' }, best: '+f1' },
  conll2003_ner: { metric: { type: 'span_f1', encoding: env.optional('ENCODING', 'IOB1') }, best: '+f1' },
  conllx_pos: accuracy,
  semantic_tagging: accuracy,
  constituency_ancestors: accuracy { reader: { ancestor: env.optional('ANCESTOR', 'parent') } },
  event_factuality: { metric: { type: 'pearson' }, best: '+pearson' },
  token_error_detection: { metric: { type: 'f1', label: 'i' }, best: '+f1' },
};
{
  settings(task):: if std.objectHas(tasks, task) then { reader: {} } + tasks[task]
  else error 'TASK is %s; it is one of %s' % [task, std.join(', ', std.objectFields(tasks))],
}
