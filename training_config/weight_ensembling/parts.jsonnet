// A sweep over the parts of the model: each task's whole delta is merged by the scores of one block, or one sub-layer,
// and tuned. `allennlp report DIR --rows TASK --columns PART` shows which parts tell best what helps.
//
// MEASURE      grand, hidden_cosine, parameter_cosine, euclidean, result_tsv (grand)
// GRANULARITY  block, layer (block)
// PART         their names, with spaces between: encoder.block.0, ... (all of a T5-base: 24 blocks, 60 layers)
// Others are those of few_shot.jsonnet, without INITS: TASKS, GYM, DELTAS, MODEL_NAME, ...
local env = import '../common/env.libsonnet';
local blocks(stack) = ['%s.block.%d' % [stack, number] for number in std.range(0, 11)];
local layers(stack, count) = [
  '%s.layer.%d' % [block, number]
  for block in blocks(stack)
  for number in std.range(0, count - 1)
];
local of_t5_base = {
  block: blocks('encoder') + blocks('decoder'),
  layer: layers('encoder', 2) + layers('decoder', 3),
};
local granularity = env.optional('GRANULARITY', 'block');
local measure = env.optional('MEASURE', 'grand');
local parts = if env.optional('PART', '') != '' then std.split(env.required('PART'), ' ')
else std.get(of_t5_base, granularity, error 'GRANULARITY is %s; block and layer are possible' % granularity);
(import 'few_shot.jsonnet') {
  axes+: { INIT:: null, PART: parts },
  steps+: {
    similarity+: { axes: [], only:: null, environment+: { MEASURE: measure, GRANULARITY: granularity } },
    merged+: { axes: ['PART'], only:: null, environment+: { WEIGHTING: measure, PART: '{PART}' } },
  },
}
