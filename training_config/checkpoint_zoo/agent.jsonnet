// Trains an agent of a zoo on images of its classes, as published for CIFAR-100. agents.jsonnet is the sweep over all.
//
// CHECKPOINT     its name, agent000 and so on
// IMAGES_PATH    the folder cifar-100-binary, a folder CLASS/IMAGE (or train/CLASS/IMAGE and test/CLASS/IMAGE), or a .npz
// SELECT_ON      the epoch that is best on it is taken: test, as published, the images that tasks are tested on, too;
//                or last: the last one (test)
// EPOCHS         (200); the rate falls to a fifth after three, six and eight tenths of them
// LEARNING_RATE  of SGD (0.1)
// BATCH_SIZE     (128)
// CUDA_DEVICE    (a GPU where there is one)
// AGENTS, AGENT_CLASSES, NUM_TASKS, TASK_CLASSES, PROBE, SHOTS, TEST, SEED, SIZE   see agents.libsonnet
// -o '{"model.architecture": "resnet18"}' is another network; see `ImageClassifier` for smaller ones.
local env = import '../common/env.libsonnet';
local agents = import 'agents.libsonnet';
local select_on = env.optional('SELECT_ON', 'test');
local reader = {
  type: 'labelled_images',
  split: agents.split,
  agent: agents.number(env.required('CHECKPOINT')),
} + agents.size;
local epochs = env.integer('EPOCHS', 200);
local tests = {
  test: {
    validation_dataset_reader: reader { part: 'test' },
    validation_data_path: env.required('IMAGES_PATH'),
  },
  last: {},
};
{
  dataset_reader: reader,
  train_data_path: env.required('IMAGES_PATH'),
  datasets_for_vocab_creation: ['train'],
  // All agents start from the same network: that of the seed.
  model: {
    type: 'image_classifier',
    architecture: 'resnet50',
    augmentation: {},
  },
  data_loader: { batch_size: env.integer('BATCH_SIZE', 128), shuffle: true },
  trainer: {
    num_epochs: epochs,
    optimizer: {
      type: 'sgd',
      lr: std.parseJson(env.optional('LEARNING_RATE', '0.1')),
      momentum: 0.9,
      weight_decay: 5e-4,
    },
    learning_rate_scheduler: {
      type: 'multi_step_with_warmup',
      milestones: std.set([std.max(1, std.floor(epochs * tenths / 10)) for tenths in [3, 6, 8]]),
      gamma: 0.2,
    },
    [if select_on == 'test' then 'validation_metric']: '+accuracy',
    callbacks: ['image_statistics', 'save_transformer'],
    checkpointer: { keep_most_recent_by_count: 1 },
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
  },
  local seed = env.integer('SEED', 0),
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
} + (if std.objectHas(tests, select_on) then tests[select_on] else error 'SELECT_ON is %s; test or last' % select_on)
