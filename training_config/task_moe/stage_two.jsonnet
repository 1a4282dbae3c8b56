// Task-level mixture of experts, stage two: the router and task vectors of stage one, which stay as they are, and fresh
// experts; from average routing (temperature 300) to the learned routes (temperature 1). The best weights are selected,
// and tested, at the temperature that they were trained to. The variables of common.libsonnet, with UPDATES 60000 and
// EVERY 3000, the ROUTER and EXPERTS of stage one, and those below. As published there is no evaluation before a quarter
// of the updates, 15000; -o '{"trainer.callbacks.3.update": 0}' has them from the first on.
//
// ROUTER_FROM    stage one: its archive, or its directory
// RATE           of the temperature's decay (0.0001): with fewer updates, take 6 / UPDATES
local common = import 'common.libsonnet';
local env = import '../common/env.libsonnet';
common {
  updates:: env.integer('UPDATES', 60000),
  every:: env.integer('EVERY', 3000),
  model+: {
    router_from: env.required('ROUTER_FROM'),
    freeze_router: true,
    router: common.router,
    selector: {
      type: 'softmax',
      temperature: { start: 300.0, floor: 1.0, rate: common.number('RATE', '0.0001') },
    },
  },
  trainer+: if self.updates == 0 then {} else {
    callbacks+: ['save_routes', { type: 'validate_from', update: std.floor($.updates / 4) }],
  },
}
