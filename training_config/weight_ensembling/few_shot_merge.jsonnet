// ensemble.jsonnet for one start of few_shot.jsonnet: INIT is uniform, group, learned or a measure, with its temperature.
local env = import '../common/env.libsonnet';
local init = env.required('INIT');
// As published, for sums over 50 examples and their tokens (the loss: a mean); of hidden_cosine, and those from the other
// systems' artefacts, ours.
local temperatures = {
  loss: 0.1,
  kl: 10.0,
  el2n: 10.0,
  grand: 10.0,
  logit_label_cosine: 10.0,
  hidden_cosine: 1.0,
  parameter_cosine: 0.001,
  euclidean: 0.1,
  performance: 0.001,
  retrieval_overlap: 0.1,
  kernel_alignment: 0.1,
};
(import 'ensemble.jsonnet') {
  [if std.objectHas(temperatures, init) then 'weighting']: { type: 'softmax', temperature: temperatures[init] },
}
