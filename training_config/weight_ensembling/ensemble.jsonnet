// For each target one delta, merged from other tasks' deltas (of the same name as the target: left out).
//
// DELTAS       a pattern of folders with a delta each: 'runs/*/delta'; with {target} in it each target has its own
// SIMILARITY   similarity.npz: the scores (uniform and group need none)
// WEIGHTING    softmax, linear, top_k, uniform, group (softmax)
// TEMPERATURE  of softmax (0.1, as published for the loss; 10 for kl, el2n and grand, 0.001 for parameter_cosine)
// TOP_K        of top_k: so many sources, equally (5)
// GROUPS       of group: a JSON of categories (the manual division of 32 question-answering tasks)
// MERGER       linear, per_block, product_space, ties (linear)
// RANK         of product_space: that of the merged LoRA (the sources' own)
// DENSITY      of ties: the share of values kept (0.2)
// TARGETS      names (those of SIMILARITY, or the sources)
// PART         of scores by block or layer: those of this one weight the whole delta
// HEAT_MAP     true: draw the weights (false)
local env = import '../common/env.libsonnet';
local number(name, default) = std.parseJson(env.optional(name, default));
local settings(table, name) = { type: name } + if std.objectHas(table, name) then table[name] else {};
local given(name) = env.optional(name, '') != '';
local groups = if given('GROUPS') then env.required('GROUPS')
else (import '../../data/weight_ensembling_tasks.json').categories;
{
  deltas: env.required('DELTAS'),
  [if given('SIMILARITY') then 'similarity']: env.required('SIMILARITY'),
  weighting: settings({
    softmax: { temperature: number('TEMPERATURE', '0.1') },
    top_k: { k: number('TOP_K', '5') },
    group: { categories: groups },
  }, env.optional('WEIGHTING', 'softmax')),
  merger: settings({
    product_space: { [if given('RANK') then 'rank']: number('RANK', '') },
    ties: { density: number('DENSITY', '0.2') },
  }, env.optional('MERGER', 'linear')),
  [if given('TARGETS') then 'targets']: std.split(env.required('TARGETS'), ' '),
  [if given('PART') then 'part']: number('PART', ''),
  heat_map: env.optional('HEAT_MAP', 'false') == 'true',
}
