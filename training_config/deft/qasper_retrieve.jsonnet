// DEFT's retrieval for Qasper's evidence, by any of its paragraphs. POOL_PATH, ENCODER_NAME, CORESET_SIZE (all), and
//
// QUERY_PATH    Qasper's JSON, with QUERY_READER=qasper_evidence_prompt; or
//               prompted rows {input, target} (QUERY_READER p3_jsonl, the default)
// In a configuration that imports this one: evidence_only (false; true for the rows alone that paragraphs with evidence,
// answer "Yes", find, with those of as many paragraphs without it in the search log)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local coreset = env.integer('CORESET_SIZE', 0);
retrieve {
  evidence_only:: false,
  local evidence_only = self.evidence_only,
  queries+: {
    reader: {
      type: env.optional('QUERY_READER', 'p3_jsonl'),
      model_name: env.optional('ENCODER_NAME', env.optional('MODEL_NAME', 'google/t5-xl-lm-adapt')),
    },
    shuffle: true,
    seed: env.integer('SEED', 0),
  } + if evidence_only then { positive: 'Yes', negative_ratio: 1, positive_only: true } else {},
  [if coreset > 0 then 'coreset']: {
    encoder: import 'encoder.libsonnet',
    size: coreset,
    seed: env.integer('SEED', 0),
  },
}
