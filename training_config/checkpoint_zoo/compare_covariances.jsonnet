// How far covariances are from one: KL divergence and correlation, and the curve over the size of the probe.
//
// COVARIANCE_PATH  the similarity.npz of the whole probe, or a .npy
// NAMES_PATH       of .npy files the name of each row, one a line
// OTHERS           a pattern of folders of `allennlp similarity`, 'DIR/kappa/MAX_ROWS=*', or of files: 'kappa.*.npy'
// TOLERANCE        eigenvalues from minus this on are raised, lower ones refused (0.001)
local env = import '../common/env.libsonnet';
{
  covariance: env.required('COVARIANCE_PATH'),
  others: env.required('OTHERS'),
  [if env.optional('NAMES_PATH', '') != '' then 'names']: env.required('NAMES_PATH'),
  tolerance: std.parseJson(env.optional('TOLERANCE', '0.001')),
}
