// The vectors of a pool, stored for many retrievals (VECTORS_PATH of retrieve.jsonnet). POOL_PATH, ENCODER_NAME, ENGINE
local env = import '../common/env.libsonnet';
{
  pool: { path: env.required('POOL_PATH') },
  encoder: import 'encoder.libsonnet',
  engine: env.optional('ENGINE', 'in_process'),
}
