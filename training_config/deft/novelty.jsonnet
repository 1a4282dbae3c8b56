// DEFT's order of a target's labelled rows: those first that are far from what was retrieved.
//
// TRAIN_DATA_PATH  the labelled rows
// RETRIEVED_PATH   what `allennlp retrieve` wrote
// ENCODER_NAME, SEED
local env = import '../common/env.libsonnet';
{
  rows: { path: env.required('TRAIN_DATA_PATH') },
  retrieved: { path: env.required('RETRIEVED_PATH') },
  encoder: import 'encoder.libsonnet',
  separate_files: true,
  seed: env.integer('SEED', 0),
}
