// How far covariances are from one: KL divergence and correlation, and the curve over the size of the probe.
//
// COVARIANCE_PATH  the similarity.npz of the whole probe
// OTHERS           a pattern of folders of `allennlp similarity`: 'DIR/kappa/MAX_ROWS=*'
// TOLERANCE        eigenvalues from minus this on are raised, lower ones refused (0.001)
local env = import '../common/env.libsonnet';
{
  covariance: env.required('COVARIANCE_PATH'),
  others: env.required('OTHERS'),
  tolerance: std.parseJson(env.optional('TOLERANCE', '0.001')),
}
