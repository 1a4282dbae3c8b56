// One task's way through a mixture of experts, as a model without experts: `allennlp squeeze` for sweeps.
//
// ARCHIVE       of the mixture
// TASK          whose way
// EXPERTS       argmax, average (argmax; of uniform routes average)
// SELECTOR      how the mixture was trained: that of stage_one.jsonnet, or learned (learned). Of instance_random a random
//               expert of each layer is taken.
// UNSEEN_TASKS  a table with the task's vector, if the mixture has none
local env = import '../common/env.libsonnet';
local selector = env.optional('SELECTOR', 'learned');
local unseen = env.optional('UNSEEN_TASKS', '');
{
  archive: env.required('ARCHIVE'),
  task: env.required('TASK'),
  experts: if selector == 'uniform' then 'average' else env.optional('EXPERTS', 'argmax'),
  [if unseen != '' then 'unseen_tasks']: unseen,
  [if selector == 'instance_random' then 'selector']: { type: 'task_random' },
}
