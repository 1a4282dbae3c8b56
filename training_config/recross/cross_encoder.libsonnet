// ReCross's reranker, of `rerank` and of arms with _rerank: RERANKER, SIZE, AGGREGATION, MAX_QUERIES, CACHE_PATH
local env = import '../common/env.libsonnet';
local queries = env.integer('MAX_QUERIES', 0);
local cache = env.optional('CACHE_PATH', '');
function(upsampling) {
  type: 'cross_encoder',
  model: env.required('RERANKER'),
  size: env.integer('SIZE', 512),
  upsampling: upsampling,
  aggregation: env.optional('AGGREGATION', 'mean'),
  [if queries > 0 then 'max_queries']: queries,
  [if cache != '' then 'cache']: cache,
}
