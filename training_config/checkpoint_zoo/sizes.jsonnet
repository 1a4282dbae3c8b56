// A sweep: the similarity of checkpoints by ever more rows, DIR/kappa/MAX_ROWS=*, for compare_covariances.jsonnet.
//
// SIZES  numbers of rows, with spaces between; other variables are those of similarity.jsonnet
local env = import '../common/env.libsonnet';
{
  axes: { MAX_ROWS: std.map(std.parseInt, std.split(env.required('SIZES'), ' ')) },
  steps: { kappa: { command: 'similarity', config: env.beside(std.thisFile, 'similarity.jsonnet') } },
}
