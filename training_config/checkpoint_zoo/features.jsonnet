// A sweep: the word vectors of each checkpoint of a zoo, DIR/words/CHECKPOINT=*, for similarity.jsonnet. One that cannot
// be loaded is named at the end, the others are made; with `--engine ray` each worker takes one at a time.
//
// ZOO, CHECKPOINTS  see zoo.libsonnet (the published 34); other variables are those of words.jsonnet
local env = import '../common/env.libsonnet';
local zoo = import 'zoo.libsonnet';
{
  axes: { CHECKPOINT: zoo.names },
  steps: { words: { command: 'embed', config: env.beside(std.thisFile, 'words.jsonnet') } },
}
