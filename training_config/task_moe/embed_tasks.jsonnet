// A vector for each task of a few-shot gym: DIR/task_vectors.npz, for TASK_VECTORS of stage_one.jsonnet.
//
// GYM            the folder of the gym;  TASKS  names, with spaces between (all)
// EMBEDDER       text, tuned_text, fisher, random (text). fisher is as published, of the loss that is summed over tokens,
//                labels smoothed by 0.1; -o '{"embedder.loss": "mean", "embedder.label_smoothing": 0}' is the plain one
// SPLIT          train, dev, test: whose inputs (train)
// SHOTS, SEEDS   which files, where there are several: a number, and '13 42'
// ENCODER_NAME   of text: an encoder or an encoder-decoder (facebook/bart-base);  POOLING  mean, first (mean)
//                of tuned_text: mean, first, or inner, the mean without the first and the last token (inner)
// DELTAS         of fisher and tuned_text: a pattern of folders, each with a task's own delta: 'runs/*/delta'
// MODEL_NAME     of these: their base model;  MODEL_TYPE  seq2seq, causal_lm (seq2seq)
// DIMENSION      principal components: 128, as published for fisher (all there is); of random the dimension (768)
// SEED           of random (0)
// INPUT_PREFIX, ANSWER_PREFIX, MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  how rows are written (../common/format.libsonnet)
// MAX_EXAMPLES   the first of each task (all)
// BATCH_SIZE     examples a pass (32)
local env = import '../common/env.libsonnet';
local format = import '../common/format.libsonnet';
local given(name) = env.optional(name, '') != '';
local number(name) = std.parseInt(env.required(name));
local embedder = env.optional('EMBEDDER', 'text');
local tuned = std.member(['fisher', 'tuned_text'], embedder);
local pooling = env.optional('POOLING', if embedder == 'tuned_text' then 'inner' else 'mean');
local encoder = env.optional('ENCODER_NAME', 'facebook/bart-base');
{
  embedder: { type: embedder } + std.get({
    text: { encoder: { type: 'transformer', model_name: encoder, pooling: pooling } },
    tuned_text: { pooling: pooling },
    random: { dimension: env.integer('DIMENSION', 768), seed: env.integer('SEED', 0) },
  }, embedder, {}),
  tasks: env.required('GYM'),
  [if given('TASKS') then 'task_names']: std.split(env.required('TASKS'), ' '),
  [if embedder != 'random' then 'reader']: format {
    type: 'fewshot_gym',
    model_name: if tuned then env.required('MODEL_NAME') else encoder,
    split: env.optional('SPLIT', 'train'),
    [if given('SHOTS') then 'shots']: number('SHOTS'),
    [if given('SEEDS') then 'seeds']: std.map(std.parseInt, std.split(env.required('SEEDS'), ' ')),
  },
  [if tuned then 'deltas']: env.required('DELTAS'),
  [if tuned then 'model']: { type: env.optional('MODEL_TYPE', 'seq2seq'), model_name: env.required('MODEL_NAME') },
  [if given('DIMENSION') && embedder != 'random' then 'dimension']: number('DIMENSION'),
  batch_size: env.integer('BATCH_SIZE', 32),
  [if given('MAX_EXAMPLES') then 'max_examples']: number('MAX_EXAMPLES'),
}
