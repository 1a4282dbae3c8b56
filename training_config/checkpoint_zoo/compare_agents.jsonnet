// Of image networks that know some classes each, a few for tasks of other classes: a selector, the best on one task, and
// random sets. By default as published for CIFAR-100.
//
// IMAGES_PATH      see agent.jsonnet
// FEATURES         a pattern of folders of agents.jsonnet: 'DIR/tasks/CHECKPOINT=*'
// COVARIANCE_PATH  the similarity.npz of similarity.jsonnet, with VECTORS='DIR/probe/CHECKPOINT=*'
// SELECTOR         mmi, entropy, hub or k_medoids (mmi)
// HUB_START        of mmi and entropy: true, as published for images, or false (true)
// K                sets of 1 to K agents (20)
// RANDOM_SETS      (10)
// SELECT_ON        of a head the epoch that is best on the tasks' test images, test, as published, or last (last)
// EPOCHS           of a head (1500; published 2000 for those of mmi, 1500 for others)
// LEARNING_RATE    of a head (0.1)
// AGENTS, AGENT_CLASSES, NUM_TASKS, TASK_CLASSES, PROBE, SHOTS, TEST, SEED, SIZE   see agents.libsonnet
local env = import '../common/env.libsonnet';
local agents = import 'agents.libsonnet';
local selector = env.optional('SELECTOR', 'mmi');
{
  images: env.required('IMAGES_PATH'),
  split: agents.split,
  features: env.required('FEATURES'),
  covariance: env.required('COVARIANCE_PATH'),
  selector: { type: selector } + (
    if std.member(['mmi', 'entropy'], selector) then { hub_start: env.optional('HUB_START', 'true') == 'true' } else {}
  ),
  k: env.integer('K', 20),
  random_sets: env.integer('RANDOM_SETS', 10),
  head: {
    epochs: env.integer('EPOCHS', 1500),
    learning_rate: env.number('LEARNING_RATE', 0.1),
    select_on: env.optional('SELECT_ON', 'last'),
  },
  seed: env.integer('SEED', 0),
} + agents.size
