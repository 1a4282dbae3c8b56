// DEFT's encoder, of pool and queries alike. ENCODER_NAME
local env = import '../common/env.libsonnet';
{ type: 'transformer', model_name: env.optional('ENCODER_NAME', 'google/t5-xl-lm-adapt') }
