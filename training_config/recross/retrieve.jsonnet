// ReCross's retrieval: 512 upstream rows for 16 unlabelled inputs of a target.
//
// POOL_PATH      the upstream rows: DIR/pool.jsonl of build_pool.jsonnet
// QUERY_PATH     prompted inputs of the target: DIR/pool.jsonl of target.jsonnet
// QUERY_SIZE     the first so many (16)
// ARM            bart0 (the default): the upstream model's encoder; bart0_both, its decoder, too; vbart; sbert; bi_encoder;
//                bm25; random; two_stage; any of them with _rerank at its end: RERANKER chooses its rows
// MODEL_NAME     the upstream model (yuchenlin/BART0); VBART_NAME, SBERT_NAME, BI_ENCODER the other arms' models; POOLING,
//                LAYER and EXTRA_BOS of those that are BART (mean, -1, true for the published models)
// SIZE           rows in all (512)
// RERANKER       of arms with _rerank: a cross-encoder that chooses the rows among MU (2) times as many; AGGREGATION,
//                MAX_QUERIES and CACHE_PATH as in rerank.jsonnet
// AGGREGATOR     round_robin (the default): queries in turns add the best that is not there yet, until there are SIZE;
//                published: SIZE / (number of queries) of each, a row that two queries found twice; quota: the same, but
//                such a row once; mean_score: the rows of the best mean score, of half as many again for each query, as
//                far as they go
// FIRST, SECOND  of two_stage: arms (bm25, bart0); CANDIDATES: rows that a query finds with the first (SIZE)
// REMOVE_GROUPS  groups of data/recross_tasks.json to do without, with blanks between (none)
// OWN_TASK       rows of the queries' own task: refuse (the default), drop or keep
// OVERLAP_PATH   the target's test rows: pool rows that are among them are left out, and queries that are are counted
// VECTORS_PATH   what embed.jsonnet wrote for the same ARM; or VECTORS_BART0, VECTORS_SBERT, ... for each, which go first
// INDEX_PATH     where bm25 and faiss keep their index
// SEARCH         of dense arms: exact or faiss (exact); ENGINE in_process or ray
// SEED, ROUND    random draws by their sum (42, 0)
local env = import '../common/env.libsonnet';
local encoders = import 'encoders.libsonnet';
local given(name) = env.optional(name, '') != '';
local queries = env.integer('QUERY_SIZE', 16);
local reranked = std.endsWith(env.optional('ARM', ''), '_rerank');
local arm = std.strReplace(env.optional('ARM', 'bart0'), '_rerank', '');
local upsampling = if reranked then env.number('MU', '2') else 1;
local size = std.ceil(env.integer('SIZE', 512) * upsampling);
local indexed = { [if given('INDEX_PATH') then 'index']: env.required('INDEX_PATH') };
local search = env.optional('SEARCH', 'exact');
local dense(name) =
  local vectors = env.optional('VECTORS_' + std.asciiUpper(name), env.optional('VECTORS_PATH', ''));
  {
    type: search,
    // ReCross ranks by distance; vectors of length one are ranked the same by their products.
    metric: 'l2',
    encoder: encoders[name],
    [if vectors != '' then 'vectors']: vectors,
  } + if search == 'faiss' then indexed else {};
local one_stage = { [name]: dense(name) for name in std.objectFields(encoders) } + {
  bm25: { type: 'bm25' } + indexed,
  random: { type: 'random', seed: env.integer('SEED', 42) + env.integer('ROUND', 0) },
};
local arms = one_stage {
  two_stage: {
    type: 'two_stage',
    first: one_stage[env.optional('FIRST', 'bm25')],
    second: one_stage[env.optional('SECOND', 'bart0')] + { vectors:: null, index:: null },
    candidates: env.integer('CANDIDATES', size),
  },
};
local retriever =
  if std.objectHas(arms, arm) then arms[arm]
  else error 'ARM is "' + arm + '"; ' + std.join(', ', std.objectFields(arms)) + ' are possible';
local named = if arm == 'random' then 'round_robin' else env.optional('AGGREGATOR', 'round_robin');
local aggregator = if named == 'published' then { type: 'quota', repeats: true } else { type: named };
{
  pool: { path: env.required('POOL_PATH') },
  queries: {
    path: env.required('QUERY_PATH'),
    reader: { type: 'p3_jsonl', keep: ['task'] },
    size: queries,
    [if given('OVERLAP_PATH') then 'overlap']: { path: env.required('OVERLAP_PATH') },
  },
  retriever: if given('REMOVE_GROUPS') then {
    type: 'group_removal',
    retriever: retriever,
    groups: (import '../../data/recross_tasks.json').groups,
    remove: std.split(env.required('REMOVE_GROUPS'), ' '),
  } else retriever,
  neighbours: if named == 'mean_score' then std.ceil(1.5 * size / queries) else size,
  aggregator: aggregator { size: size },
  [if reranked then 'reranker']: (import 'cross_encoder.libsonnet')(upsampling),
  own_task: env.optional('OWN_TASK', 'refuse'),
  engine: env.optional('ENGINE', 'in_process'),
}
