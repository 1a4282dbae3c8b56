// The encoders of ReCross's dense arms. Of bart0, bart0_both and vbart: POOLING (mean), LAYER (-1), EXTRA_BOS as of the
// upstream model's texts
local env = import '../common/env.libsonnet';
local upstream_name = env.optional('MODEL_NAME', 'yuchenlin/BART0');
local extra_bos = (import 'extra_bos.libsonnet')(upstream_name);
local bart(name) = {
  type: 'transformer',
  model_name: name,
  pooling: env.optional('POOLING', 'mean'),
  layer: env.integer('LAYER', -1),
  [if extra_bos then 'extra_bos']: true,
};
local upstream = bart(upstream_name);
{
  // The upstream model's encoder, the mean over tokens; and beside it the decoder's.
  bart0: upstream,
  bart0_both: upstream { part: 'encoder_decoder' },
  // The same of a BART that was never tuned.
  vbart: bart(env.optional('VBART_NAME', 'facebook/bart-large')),
  sbert: {
    type: 'sentence_transformers',
    model_name: env.optional('SBERT_NAME', 'sentence-transformers/all-distilroberta-v1'),
  },
  bi_encoder: { type: 'bi_encoder', folder: env.optional('BI_ENCODER', 'bi_encoder') },
}
