// The vectors that an image model of a zoo has for each image. image_features.jsonnet is the sweep over all.
//
// CHECKPOINT   its name in the zoo
// ZOO          JSON: by its name a model's settings of `ImageEncoder`, as '{"resnet": {"model_name": "microsoft/resnet-18"}}'
// IMAGES_PATH  a .npz with images and labels, or a folder CLASS/IMAGE
// DTYPE        float16, float32: as stored (float16)
local env = import '../common/env.libsonnet';
local zoo = import 'zoo.libsonnet';
{
  images: { path: env.required('IMAGES_PATH') },
  encoder: zoo.settings(env.required('CHECKPOINT')),
  dtype: env.optional('DTYPE', 'float16'),
}
