// ReCross's reranking: of SIZE x UPSAMPLING retrieved rows the SIZE with the highest mean score over the queries.
//
// RETRIEVED_PATH  the directory of `allennlp retrieve`, which has kept SIZE x UPSAMPLING rows
// RERANKER        a sequence classifier, or the directory of reranker.jsonnet's training
// SIZE            rows to keep (512)
// UPSAMPLING      1.5, 2, 3, ... (2): mu
// AGGREGATION     mean, max or softmax (mean)
// MAX_QUERIES     the first so many queries (all)
// CACHE_PATH      where to keep scores for another reranking with this reranker (nowhere)
// ENGINE          in_process or ray
local env = import '../common/env.libsonnet';
{
  retrieved: env.required('RETRIEVED_PATH'),
  reranker: (import 'cross_encoder.libsonnet')(env.number('UPSAMPLING', '2')),
  engine: env.optional('ENGINE', 'in_process'),
}
