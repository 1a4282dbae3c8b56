// The vectors that a checkpoint of a zoo has for each word of a text. features.jsonnet is the sweep over all.
//
// CHECKPOINT   its name in the zoo
// ZOO          see zoo.libsonnet (the published 34)
// TEXT_PATH    the text: a sentence a line, or the file of a task of words
// READER       probe_text or a task of words, conll2003_ner say (probe_text)
// MIN_WORDS    of probe_text: lines with fewer words are left out (10)
// SENTENCES    only so many, the first (all)
// POOLING      of a word's pieces: first, last, mean (last)
// LAYER        0 is the embeddings, -1 the last (-1)
// MAX_LENGTH   of a sentence, in tokens (512)
// DTYPE        float16, float32: as stored (float16)
local env = import '../common/env.libsonnet';
local zoo = import 'zoo.libsonnet';
local reader = env.optional('READER', 'probe_text');
{
  words: {
    path: env.required('TEXT_PATH'),
    reader: { type: reader, [if reader == 'probe_text' then 'min_words']: env.integer('MIN_WORDS', 10) },
    [if env.optional('SENTENCES', '') != '' then 'size']: env.integer('SENTENCES', 0),
  },
  encoder: {
    type: 'transformer',
    pooling: env.optional('POOLING', 'last'),
    layer: env.integer('LAYER', -1),
    max_length: env.integer('MAX_LENGTH', 512),
  } + zoo.settings(env.required('CHECKPOINT')),
  dtype: env.optional('DTYPE', 'float16'),
}
