// How close other tasks' deltas are to each target: similarity.npz, for ensemble.jsonnet, with a .tsv and heat maps.
//
// DELTAS         a pattern of folders with a delta each, of one method and base model: 'runs/*/delta'
// TARGETS        the folder of a few-shot gym
// MODEL_NAME     the base model of the deltas: a hub id or a local folder; parameter_cosine needs neither
// MEASURE        loss, kl, el2n, logit_label_cosine, grand, hidden_cosine, parameter_cosine (loss)
// TARGET_DELTAS  of kl, hidden_cosine and parameter_cosine: the targets' own deltas, as DELTAS
// GRANULARITY    model, block, layer: of grand and parameter_cosine all, of hidden_cosine the first two
// REDUCTION      mean or sum over tokens or examples (mean for loss, otherwise sum, as published)
// MODEL_TYPE     seq2seq, causal_lm (seq2seq)
// SPLIT          train, dev, test (dev)
// SHOTS, SEEDS   which files, where there are several: a number, and '13 42'
// ANSWER_PREFIX  as the deltas were tuned: '<extra_id_0>', say
// MAX_EXAMPLES   the first of each target: 50, as published (all)
// BATCH_SIZE     examples a pass (32)
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local number(name) = std.parseInt(env.required(name));
local measure = env.optional('MEASURE', 'loss');
local reads = measure != 'parameter_cosine';
{
  measure: {
    type: measure,
    [if given('GRANULARITY') then 'granularity']: env.required('GRANULARITY'),
    [if given('REDUCTION') then 'reduction']: env.required('REDUCTION'),
  },
  sources: env.required('DELTAS'),
  [if reads || given('TARGETS') then 'targets']: env.required('TARGETS'),
  [if given('TARGET_DELTAS') then 'target_deltas']: env.required('TARGET_DELTAS'),
  [if reads then 'reader']: {
    type: 'fewshot_gym',
    model_name: env.required('MODEL_NAME'),
    split: env.optional('SPLIT', 'dev'),
    answer_prefix: env.optional('ANSWER_PREFIX', ''),
    [if given('SHOTS') then 'shots']: number('SHOTS'),
    [if given('SEEDS') then 'seeds']: std.map(std.parseInt, std.split(env.required('SEEDS'), ' ')),
  },
  [if reads then 'model']: { type: env.optional('MODEL_TYPE', 'seq2seq'), model_name: env.required('MODEL_NAME') },
  batch_size: env.integer('BATCH_SIZE', 32),
  [if given('MAX_EXAMPLES') then 'max_examples']: number('MAX_EXAMPLES'),
}
