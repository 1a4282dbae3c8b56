// DEFT's retrieval for Qasper's evidence: rows that paragraphs with evidence (answer "Yes") find count, those of as many
// paragraphs without (drawn from all of them) are in the search log. POOL_PATH, ENCODER_NAME, CORESET_SIZE (all), and
//
// QUERY_PATH    Qasper's JSON, with QUERY_READER=qasper_evidence_prompt; or
//               prompted rows {input, target} (QUERY_READER p3_jsonl, the default)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local coreset = env.integer('CORESET_SIZE', 0);
retrieve {
  queries+: {
    reader: {
      type: env.optional('QUERY_READER', 'p3_jsonl'),
      model_name: env.optional('ENCODER_NAME', env.optional('MODEL_NAME', 'google/t5-xl-lm-adapt')),
    },
    shuffle: true,
    positive: 'Yes',
    negative_ratio: 1,
    positive_only: true,
    seed: env.integer('SEED', 0),
  },
  [if coreset > 0 then 'coreset']: {
    encoder: import 'encoder.libsonnet',
    size: coreset,
    seed: env.integer('SEED', 0),
  },
}
