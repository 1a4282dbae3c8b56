// Of the image agents of a zoo: their names, and how images are shared out between them and new tasks. By default as
// published for CIFAR-100.
//
// AGENTS, AGENT_CLASSES      agents, and the classes that each knows (100, 30)
// NUM_TASKS, TASK_CLASSES    new tasks, and the classes of each (20, 30)
// PROBE, SHOTS               images of each class, to compare agents by, and to train heads on (10, 10)
// TEST                       images of each class to test on, of the data's own test part if there is one (all of that)
// SEED                       (0)
// SIZE                       of a folder of images of different sizes: the side that each is made to have (as they are)
// -o '{"....split.own_classes": 50}' leaves so many classes to the agents, and the others to the tasks.
local env = import '../common/env.libsonnet';
local agents = env.integer('AGENTS', 100);
local zeros(number) = std.substr('00', 0, std.max(0, 3 - std.length('' + number)));
local names = ['agent' + zeros(number) + number for number in std.range(0, agents - 1)];
{
  names: names,
  // From 0.
  number(name)::
    local found = std.find(name, names);
    if found != [] then found[0]
    else error 'CHECKPOINT is %s; %s to %s are possible' % [name, names[0], names[agents - 1]],
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
  // `size`, if there is one.
  size: if env.optional('SIZE', '') != '' then { size: env.integer('SIZE', 0) } else {},
}
