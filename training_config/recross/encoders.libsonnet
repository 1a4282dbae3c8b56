// The encoders of ReCross's dense arms. Of bart0, bart0_both and vbart: POOLING (mean), LAYER (-1)
local env = import '../common/env.libsonnet';
local bart(name) = {
  type: 'transformer',
  model_name: name,
  pooling: env.optional('POOLING', 'mean'),
  layer: env.integer('LAYER', -1),
};
local upstream = bart(env.optional('MODEL_NAME', 'yuchenlin/BART0'));
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
