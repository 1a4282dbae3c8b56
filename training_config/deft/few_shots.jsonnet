// DEFT's few shots: NUM_SHOTS (32) of a target's labelled rows, spread out by k-means++. TRAIN_DATA_PATH, ENCODER_NAME
local env = import '../common/env.libsonnet';
{
  rows: { path: env.required('TRAIN_DATA_PATH') },
  encoder: import 'encoder.libsonnet',
  size: env.integer('NUM_SHOTS', 32),
  batch: 1,
  seed: env.integer('SEED', 0),
}
