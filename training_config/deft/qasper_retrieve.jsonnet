// DEFT's retrieval for Qasper's evidence: rows that paragraphs with evidence (answer "Yes") find count, those of as many
// paragraphs without (drawn from all of them) are in the search log. POOL_PATH, QUERY_PATH, ENCODER_NAME, CORESET_SIZE (all)
local env = import '../common/env.libsonnet';
local retrieve = import 'retrieve.jsonnet';
local coreset = env.integer('CORESET_SIZE', 0);
retrieve {
  queries+: {
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
