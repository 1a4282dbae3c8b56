// What an agent of a zoo makes of the images of new tasks. agents.jsonnet does that for all agents, and of the images by
// which they are compared.
//
// MODEL_NAME   the agent: a folder, DIR/agent/CHECKPOINT=agent000/transformer
// IMAGES_PATH  see agent.jsonnet
// DTYPE        float16, float32: as stored (float16)
// AGENTS, AGENT_CLASSES, NUM_TASKS, TASK_CLASSES, PROBE, SHOTS, TEST, SEED, SIZE   see agents.libsonnet
local env = import '../common/env.libsonnet';
local agents = import 'agents.libsonnet';
{
  images: { path: env.required('IMAGES_PATH'), split: agents.split, part: 'tasks' } + agents.size,
  encoder: { model_name: env.required('MODEL_NAME'), batch_size: 128 },
  dtype: env.optional('DTYPE', 'float16'),
}
