// The vectors of a pool, stored for the retrievals of all rounds (VECTORS_PATH). POOL_PATH, ARM, ENGINE
local env = import '../common/env.libsonnet';
{
  pool: { path: env.required('POOL_PATH') },
  encoder: (import 'encoders.libsonnet')[env.optional('ARM', 'bart0')],
  engine: env.optional('ENGINE', 'in_process'),
}
