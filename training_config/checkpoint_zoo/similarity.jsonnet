// How alike checkpoints are: similarity.npz, the COVARIANCE_PATH of select.jsonnet.
//
// VECTORS     a pattern of folders of `allennlp embed`: 'DIR/words/CHECKPOINT=*'
// KERNEL      linear, rbf (linear);  BANDWIDTH  of rbf, in median distances (1)
// ESTIMATOR   biased, debiased, minibatch (biased);  BATCH_SIZE, SEED  of minibatch (256 and 0)
// CENTRED     false: columns keep their means (true)
// MAX_ROWS    only so many rows, the first (all)
// SENTENCES   only the words of so many sentences, the first (all)
// The rows are those that all have; -o '{"measure.rows": "pair"}' takes, as published, for each pair those of both.
local env = import '../common/env.libsonnet';
local max_rows = env.integer('MAX_ROWS', 0);
local given = env.optional('SENTENCES', '') != '';
{
  measure: {
    type: 'kernel_alignment',
    kernel: env.optional('KERNEL', 'linear'),
    bandwidth: std.parseJson(env.optional('BANDWIDTH', '1')),
    estimator: env.optional('ESTIMATOR', 'biased'),
    batch_size: env.integer('BATCH_SIZE', 256),
    seed: env.integer('SEED', 0),
    centred: std.parseJson(env.optional('CENTRED', 'true')),
    [if max_rows != 0 then 'max_rows']: max_rows,
    [if given then 'max_sentences']: env.integer('SENTENCES', 0),
  },
  sources: env.required('VECTORS'),
}
