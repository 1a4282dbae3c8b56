// One task's way through a mixture of experts, as a model without experts: `allennlp squeeze` for sweeps.
//
// ARCHIVE       of the mixture
// TASK          whose way
// WAY           argmax, average (argmax; of uniform and task_random routes average)
// SELECTOR      how the mixture was trained: that of stage_one.jsonnet, or a name of one's own (learned). Of
//               instance_random a random expert of each layer is taken.
// UNSEEN_TASKS  a table with the task's vector, if the mixture has none
local env = import '../common/env.libsonnet';
local selector = env.optional('SELECTOR', 'learned');
local unseen = env.optional('UNSEEN_TASKS', '');
{
  archive: env.required('ARCHIVE'),
  task: env.required('TASK'),
  experts: if std.member(['uniform', 'task_random'], selector) then 'average' else env.optional('WAY', 'argmax'),
  [if unseen != '' then 'unseen_tasks']: unseen,
  [if selector == 'instance_random' then 'selector']: { type: 'task_random' },
}
