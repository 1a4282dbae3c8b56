// Of the image agents of a zoo: their names, and how images are shared out between them and new tasks. By default as
// published for CIFAR-100.
//
// AGENTS, AGENT_CLASSES      agents, and the classes that each knows (100, 30)
// NUM_TASKS, TASK_CLASSES    new tasks, and the classes of each (20, 30)
// PROBE, SHOTS               images of each class, to compare agents by, and to train heads on (10, 10)
// TEST                       images of each class to test on, of the data's own test part if there is one (all of that)
// SEED                       (0)
// -o '{"....split.own_classes": 50}' leaves so many classes to the agents, and the others to the tasks.
local env = import '../common/env.libsonnet';
local agents = env.integer('AGENTS', 100);
{
  names: ['agent%03d' % number for number in std.range(0, agents - 1)],
  number(name):: if std.member(self.names, name) then std.parseInt(std.lstripChars(name[5:], '0') + (
    if std.lstripChars(name[5:], '0') == '' then '0' else ''
  )) else error 'CHECKPOINT is %s; %s to %s are possible' % [name, self.names[0], self.names[agents - 1]],
  split: {
    agents: agents,
    agent_classes: env.integer('AGENT_CLASSES', 30),
    tasks: env.integer('NUM_TASKS', 20),
    task_classes: env.integer('TASK_CLASSES', 30),
    probe: env.integer('PROBE', 10),
    shots: env.integer('SHOTS', 10),
    [if env.optional('TEST', '') != '' then 'test']: env.integer('TEST', 0),
    seed: env.integer('SEED', 0),
  },
}
