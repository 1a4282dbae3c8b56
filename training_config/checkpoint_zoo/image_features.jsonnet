// A sweep: the vectors that each image model of a zoo has for each image, DIR/images/CHECKPOINT=*, for similarity.jsonnet.
//
// ZOO, CHECKPOINTS  see zoo.libsonnet; other variables are those of images.jsonnet
local env = import '../common/env.libsonnet';
local zoo = import 'zoo.libsonnet';
{
  axes: { CHECKPOINT: zoo.names },
  steps: { images: { command: 'embed', config: env.beside(std.thisFile, 'images.jsonnet') } },
}
