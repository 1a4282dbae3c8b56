// Of small networks that know some classes of images each, a few for tasks of other classes: a selector, the best on
// one task, and random sets.
//
// IMAGES_PATH    a .npz with images and labels (shell_scripts/checkpoint_zoo/digits.py writes one), or a folder CLASS/IMAGE
// SELECTOR       mmi, entropy, hub or k_medoids (mmi)
// HUB_START      of mmi and entropy: true, as published for images, or false (true)
// K              sets of 1 to K agents (5)
// AGENTS, AGENT_CLASSES, NUM_TASKS, TASK_CLASSES   how many, and of how many classes each (12, 5, 6, 4)
// PROBE, SHOTS, TEST   images of each class: to compare agents by, to train and to test heads on (10, 10, 50)
// RANDOM_SETS    (10)
// SEED           (0)
local env = import '../common/env.libsonnet';
local selector = env.optional('SELECTOR', 'mmi');
{
  images: env.required('IMAGES_PATH'),
  selector: { type: selector } + (
    if std.member(['mmi', 'entropy'], selector) then { hub_start: env.optional('HUB_START', 'true') == 'true' } else {}
  ),
  k: env.integer('K', 5),
  random_sets: env.integer('RANDOM_SETS', 10),
  agents: env.integer('AGENTS', 12),
  agent_classes: env.integer('AGENT_CLASSES', 5),
  tasks: env.integer('NUM_TASKS', 6),
  task_classes: env.integer('TASK_CLASSES', 4),
  probe: env.integer('PROBE', 10),
  shots: env.integer('SHOTS', 10),
  test: env.integer('TEST', 50),
  seed: env.integer('SEED', 0),
}
