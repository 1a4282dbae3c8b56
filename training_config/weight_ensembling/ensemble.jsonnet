// For each target one delta, merged from other tasks' deltas (of the same name as the target: left out).
//
// DELTAS       a pattern of folders with a delta each: 'runs/*/delta'; with {target} in it each target has its own
// TUNED        of performance, as in similarity.jsonnet: the sources as they were tuned on each target are merged
//              then, as published (without it those of DELTAS)
// SIMILARITY   similarity.npz: the scores (uniform and group need none)
// WEIGHTING    softmax, linear, top_k, uniform, group, learned; or a measure: softmax with its temperature (softmax)
// TEMPERATURE  of softmax (that of the measure; without one 0.1)
// TOP_K        of top_k: so many sources, equally (5)
// CATEGORIES   of group: a JSON of categories (the manual division of 32 question-answering tasks)
// MERGER       linear, per_block, product_space, ties (linear)
// RANK         of product_space: that of the merged LoRA (the sources' own)
// DENSITY      of ties: the share of values kept (0.2)
// TARGETS      names, or the folder of a few-shot gym (those of SIMILARITY, or the sources)
// PART         of scores by block or layer: those of this one, by number or name, weight the whole delta
// HEAT_MAP     true: draw the weights (false)
//
// Of learned, as LoRAHub, for deltas of the base model MODEL_NAME (MODEL_TYPE: seq2seq, causal_lm):
// EXAMPLES       the folder of a few-shot gym with the targets' labelled examples
// SPLIT          train, dev, test (train)
// SHOTS, SEEDS   which files, where there are several: a number, and '13 42'
// INPUT_PREFIX, ANSWER_PREFIX, MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  how rows are written (../common/format.libsonnet)
// MAX_EXAMPLES   the first of each target (all)
// EVALUATIONS    weights that are tried: at least two more than the sources (100)
// BOUND, PENALTY the largest absolute value of a weight (1.5), and what the sum of them costs (0.05)
// BATCH_SIZE     examples a pass (32)
local env = import '../common/env.libsonnet';
local format = import '../common/format.libsonnet';
local number = env.number;
local settings(table, name) = { type: name } + if std.objectHas(table, name) then table[name] else {};
local given(name) = env.optional(name, '') != '';
local is_number(name) = std.all([std.member('0123456789', digit) for digit in std.stringChars(env.required(name))]);
local groups = if given('CATEGORIES') then env.required('CATEGORIES')
else (import '../../data/weight_ensembling_tasks.json').categories;
// As published: sums over 50 examples or their tokens, and the mean loss. The last three are ours.
local temperatures = {
  loss: 0.1,
  el2n: 10,
  kl: 10,
  logit_label_cosine: 10,
  grand: 10,
  grand_per_example: 10,
  parameter_cosine: 0.001,
  euclidean: 0.1,
  performance: 0.001,
  hidden_cosine: 1,
  retrieval_overlap: 0.1,
  kernel_alignment: 0.1,
};
local chosen = env.optional('WEIGHTING', 'softmax');
local weighting = if std.objectHas(temperatures, chosen) then 'softmax' else chosen;
{
  deltas: if chosen == 'performance' && given('TUNED') then std.strReplace(env.required('TUNED'), '{source}', '*')
  else env.required('DELTAS'),
  [if given('SIMILARITY') then 'similarity']: env.required('SIMILARITY'),
  weighting: settings({
    softmax: { temperature: number('TEMPERATURE', std.toString(std.get(temperatures, chosen, 0.1))) },
    top_k: { k: number('TOP_K', '5') },
    group: { categories: groups },
    learned: {
      evaluations: env.integer('EVALUATIONS', 100),
      bound: number('BOUND', '1.5'),
      penalty: number('PENALTY', '0.05'),
    },
  }, weighting),
  merger: settings({
    product_space: { [if given('RANK') then 'rank']: number('RANK', '') },
    ties: { density: number('DENSITY', '0.2') },
  }, env.optional('MERGER', 'linear')),
  [if given('TARGETS') then 'targets']: std.split(env.required('TARGETS'), ' '),
  [if given('PART') then 'part']: if is_number('PART') then number('PART', '') else env.required('PART'),
  heat_map: env.optional('HEAT_MAP', 'false') == 'true',
} + if weighting != 'learned' then {} else {
  examples: env.required('EXAMPLES'),
  reader: format {
    type: 'fewshot_gym',
    model_name: env.required('MODEL_NAME'),
    split: env.optional('SPLIT', 'train'),
    [if given('SHOTS') then 'shots']: number('SHOTS', ''),
    [if given('SEEDS') then 'seeds']: std.map(std.parseInt, std.split(env.required('SEEDS'), ' ')),
  },
  model: { type: env.optional('MODEL_TYPE', 'seq2seq'), model_name: env.required('MODEL_NAME') },
  batch_size: env.integer('BATCH_SIZE', 32),
  [if given('MAX_EXAMPLES') then 'max_examples']: number('MAX_EXAMPLES', ''),
}
