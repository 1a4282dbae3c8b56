// How close other tasks' deltas are to each target: similarity.npz, for ensemble.jsonnet, with a .tsv and heat maps.
//
// DELTAS         a pattern of folders with a delta each, of one method and base model: 'runs/*/delta'
// RETRIEVED      of retrieval_overlap, instead: such a pattern of folders of `allennlp retrieve`
// VECTORS        of kernel_alignment, instead: such a pattern of folders of `allennlp embed`
// MEASURE        loss, kl, el2n, logit_label_cosine, grand, grand_per_example, hidden_cosine, parameter_cosine,
//                euclidean, performance, retrieval_overlap, kernel_alignment, result_tsv (loss)
// TARGETS        the folder of a few-shot gym, or a pattern of files of prompted rows: 'rows/*/train.jsonl'; retrieval_overlap, kernel_alignment, parameter_cosine, euclidean,
//                performance and result_tsv need none
// MODEL_NAME     the base model of the deltas: a hub id or a local folder; of measures that need TARGETS of a gym
// TARGET_DELTAS  of kl, hidden_cosine and parameter_cosine: the targets' own deltas, as DELTAS
// TUNED          of euclidean: each source tuned on each target: 'sweep/tuned/SOURCE={source},TARGET={target}'
// AFTER, BEFORE  of performance: the metrics of these trainings, and of the sources on the targets' rows before, such
//                patterns of files: 'sweep/tuned/SOURCE={source},TARGET={target}/metrics.json'
// METRIC         of performance: one of which more is better (accuracy)
// RESULT         of result_tsv: the file; by block or layer the folder of the files
// HIGHER         of result_tsv: true or false, whether a higher score is closer
// NAMES          of result_tsv: the tasks in their order, where the file has values only: 'boolq rte'
// COEFFICIENT    of retrieval_overlap: jaccard or overlap (jaccard)
// GRANULARITY    model, block, layer: of grand, grand_per_example, hidden_cosine, parameter_cosine, euclidean and
//                result_tsv
// REDUCTION      mean or sum over tokens or examples (mean for loss, otherwise sum, as published)
// TARGET_NAMES   of these targets only: 'boolq rte'
// MODEL_TYPE     seq2seq, causal_lm (seq2seq)
// SPLIT          train, dev, test (dev)
// SHOTS, SEEDS   which files, where there are several: a number, and '13 42'
// INPUT_PREFIX, ANSWER_PREFIX, MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  how rows are written (../common/format.libsonnet)
// MAX_EXAMPLES   the first of each target: 50, as published (all; of grand 50, whose sum its temperature belongs to)
// BATCH_SIZE     examples a pass (32). The batches of grand are the published ones, of 5, by block or layer of 10;
//                others with -o '{"measure.batch_size": 8}'
local env = import '../common/env.libsonnet';
local format = import '../common/format.libsonnet';
local given(name) = env.optional(name, '') != '';
local number(name) = std.parseInt(env.required(name));
local measure = env.optional('MEASURE', 'loss');
local of_folders = { retrieval_overlap: 'RETRIEVED', kernel_alignment: 'VECTORS' };
local sources = env.required(std.get(of_folders, measure, 'DELTAS'));
local reads = !std.objectHas(of_folders, measure) && !std.member(['parameter_cosine', 'euclidean', 'performance', 'result_tsv'], measure);
local words(name) = std.split(env.required(name), ' ');
local parts = std.member(['grand', 'grand_per_example', 'hidden_cosine', 'parameter_cosine', 'euclidean', 'result_tsv'], measure);
local settings = {
  euclidean: { tuned: env.required('TUNED') },
  performance: {
    after: env.required('AFTER'),
    before: env.required('BEFORE'),
    metric: env.optional('METRIC', 'accuracy'),
  },
  result_tsv: {
    local higher = env.required('HIGHER'),
    path: env.required('RESULT'),
    higher_is_better: if std.member(['true', 'false'], higher) then higher == 'true'
    else error 'HIGHER is "' + higher + '"; true and false are possible',
    [if given('NAMES') then 'names']: words('NAMES'),
  },
};
{
  measure: {
    type: measure,
    [if parts then 'granularity']: if given('GRANULARITY') then env.required('GRANULARITY') else 'model',
    [if given('REDUCTION') then 'reduction']: env.required('REDUCTION'),
    [if given('COEFFICIENT') then 'coefficient']: env.required('COEFFICIENT'),
  } + std.get(settings, measure, {}),
  sources: sources,
  [if std.objectHas(of_folders, measure) || reads then 'targets']: if reads then env.required('TARGETS') else sources,
  [if given('TARGET_NAMES') then 'target_names']: words('TARGET_NAMES'),
  [if given('TARGET_DELTAS') then 'target_deltas']: env.required('TARGET_DELTAS'),
  [if reads then 'reader']: format { model_name: env.required('MODEL_NAME') } + if std.length(std.findSubstr('.jsonl', env.required('TARGETS'))) > 0 then { type: 'p3_jsonl' } else {
    type: 'fewshot_gym',
    split: env.optional('SPLIT', 'dev'),
    [if given('SHOTS') then 'shots']: number('SHOTS'),
    [if given('SEEDS') then 'seeds']: std.map(std.parseInt, words('SEEDS')),
  },
  [if reads then 'model']: { type: env.optional('MODEL_TYPE', 'seq2seq'), model_name: env.required('MODEL_NAME') },
  batch_size: env.integer('BATCH_SIZE', 32),
  [if given('MAX_EXAMPLES') || measure == 'grand' then 'max_examples']:
    if given('MAX_EXAMPLES') then number('MAX_EXAMPLES') else 50,
}
