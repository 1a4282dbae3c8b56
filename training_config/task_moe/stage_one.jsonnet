// Task-level mixture of experts, stage one: experts, router and task vectors on many tasks (Ye et al., 2022). The
// variables of common.libsonnet, with UPDATES 30000, EVERY 750, ROUTER_LR 0.001, TASK_LR 0.01, and
//
// TASK_VECTORS   what `allennlp embed-tasks` wrote, which is then not trained (random ones, trained)
// SELECTOR       straight_through, softmax, gumbel_softmax; baselines without a router are uniform, instance_random,
//                task_random, and multi_task: one expert a layer, which is the plain model (straight_through)
// N              of task_random: experts a layer (1)
local common = import 'common.libsonnet';
local env = import '../common/env.libsonnet';
local selector = env.optional('SELECTOR', 'straight_through');
local tempered = std.member(['straight_through', 'softmax', 'gumbel_softmax'], selector);
local plain = selector == 'multi_task';
local routed = tempered || selector == 'top_k';
local vectors = env.optional('TASK_VECTORS', '');
local split = env.optional('TASK_SPLIT', '');
common {
  updates:: env.integer('UPDATES', 30000),
  every:: env.integer('EVERY', 750),
  model+: {
    [if plain then 'experts']+: { count: 1 },
    selector: {
      type: if plain then 'uniform' else selector,
      [if tempered then 'temperature']: { start: 2.0, floor: 0.1, rate: 3e-4 },
      [if selector == 'task_random' then 'n']: env.integer('N', 1),
    },
    [if routed then 'router']: common.router,
    [if routed then 'task_vectors']: if vectors != '' then { type: 'table', path: vectors } else {
      type: 'learned',
      tasks: if split != '' then split else env.required('GYM'),
    },
  },
  trainer+: if self.updates == 0 then {} else {
    callbacks+: if routed then [{ type: 'save_routes', temperature: 1.0 }] else [],
    optimizer+: { parameter_groups: if routed then [
    [['^router'], { lr: common.number('ROUTER_LR', '0.001') }],
  ] + (if vectors != '' then [] else [[['^task_vectors'], { lr: common.number('TASK_LR', '0.01') }]]) else [] },
  },
}
