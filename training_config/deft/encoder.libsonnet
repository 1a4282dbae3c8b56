// DEFT's encoder, of pool and queries alike: ENCODER_NAME, else the one of MODEL_NAME, the model that is trained
local env = import '../common/env.libsonnet';
{
  type: 'transformer',
  model_name: env.optional('ENCODER_NAME', env.optional('MODEL_NAME', 'google/t5-xl-lm-adapt')),
}
