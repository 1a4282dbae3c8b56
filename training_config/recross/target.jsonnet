// Rows of a target as prompted rows, all references kept: the query set of a round (DIR/pool.jsonl), or its test rows.
//
// TARGET_PATH  prompted rows {input, target, ...}, or ReCross's triples or query file (.json)
// TARGET_SIZE  so many of them (all): drawn at random by SEED + ROUND; of a query file, those of the round ROUND
// SHOTS        it is a query file: so many shots of one round
// ROUND, SEED  (0, 42)
local env = import '../common/env.libsonnet';
local path = env.required('TARGET_PATH');
local size = env.integer('TARGET_SIZE', 0);
local shots = env.integer('SHOTS', 0);
local round = env.integer('ROUND', 0);
local triples = {
  type: 'recross_triples',
  path: path,
  [if shots > 0 then 'shots']: shots,
  [if shots > 0 then 'round']: round,
};
local rows = { type: 'rows', path: path };
{
  sources: [(if std.endsWith(path, '.json') then triples else rows) { keep: ['references'] }],
  [if size > 0 then 'max_rows']: size,
  on_bad_row: 'skip',
  seed: env.integer('SEED', 42) + round,
}
