// A sweep: the similarity of checkpoints by the words of ever more sentences, as published, DIR/kappa/SENTENCES=*, for
// compare_covariances.jsonnet.
//
// SIZES  numbers of sentences, with spaces between; other variables are those of similarity.jsonnet
local env = import '../common/env.libsonnet';
{
  axes: { SENTENCES: std.map(std.parseInt, std.split(env.required('SIZES'), ' ')) },
  steps: { kappa: { command: 'similarity', config: env.beside(std.thisFile, 'similarity.jsonnet') } },
}
