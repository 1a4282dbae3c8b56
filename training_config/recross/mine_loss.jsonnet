// ReCross's distant supervision: which retrieved rows lower the upstream model's loss on a task's other rows?
//
// POOL_PATH      the upstream rows, uncompressed, without the targets
// MODEL_NAME     the upstream model (yuchenlin/BART0); MODEL_TYPE seq2seq or causal_lm
// SIZE           query sets (300)
// RETRIEVER      exact (the default) or bm25; ENCODER_NAME (that of MODEL_NAME), POOLING, LAYER and VECTORS_PATH are of exact
// INDEX_PATH     where bm25 keeps its index; without it, and without VECTORS_PATH, each task reads the whole pool again
// RERANKER       the directory of the last reranker's training: it chooses 100 of 480 candidates (none)
// FULL_COPIES    true tunes all weights, as published (false: LoRA in the decoder's attention)
// TASK_GROUPS    true draws one of ReCross's eight groups first, as published (false: any task)
// HELD_OUT, CANDIDATES, GROUP_SIZE, ROUNDS, POSITIVES  100, 100, 20, 3, 8, as published
// MAX_QUERY_LENGTH  of prompts, in tokens (512); EXTRA_BOS as in common.libsonnet
// SEED, ENGINE   (0, in_process); ENGINE ray takes a query set for each worker
local env = import '../common/env.libsonnet';
local lists = import '../../data/recross_tasks.json';
local model_name = env.optional('MODEL_NAME', 'yuchenlin/BART0');
local reranker = env.optional('RERANKER', '');
local vectors = env.optional('VECTORS_PATH', '');
local index = env.optional('INDEX_PATH', '');
local candidates = env.integer('CANDIDATES', 100);
local encoder = (import 'encoders.libsonnet').bart0 { model_name: env.optional('ENCODER_NAME', model_name) };
local settings = {
  exact: { metric: 'l2', encoder: encoder, [if vectors != '' then 'vectors']: vectors },
  bm25: { [if index != '' then 'index']: index },
};
local retriever = env.optional('RETRIEVER', 'exact');
{
  pool: { path: env.required('POOL_PATH') },
  miner: {
    type: 'loss',
    model: { type: env.optional('MODEL_TYPE', 'seq2seq'), model_name: model_name, loss: 'sum', label_smoothing: 0.1 },
    retriever: { type: retriever } + settings[retriever],
    size: env.integer('SIZE', 300),
    held_out: env.integer('HELD_OUT', 100),
    candidates: candidates,
    group_size: env.integer('GROUP_SIZE', 20),
    rounds: env.integer('ROUNDS', 3),
    positives: env.integer('POSITIVES', 8),
    negatives: env.integer('POSITIVES', 8),
    max_query_length: env.integer('MAX_QUERY_LENGTH', 512),
    extra_bos: (import 'extra_bos.libsonnet')(model_name),
    [if reranker != '' then 'reranker']: {
      type: 'cross_encoder',
      model: reranker,
      size: candidates,
      upsampling: 4.8,
    },
    [if env.optional('FULL_COPIES', 'false') == 'true' then 'delta']: 'none',
    [if env.optional('TASK_GROUPS', 'false') == 'true' then 'groups']: lists.groups,
    seed: env.integer('SEED', 0),
  },
  engine: env.optional('ENGINE', 'in_process'),
}
