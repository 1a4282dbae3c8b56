// A sweep: the agents of a zoo, DIR/agent/CHECKPOINT=*, what each makes of the probe images, seven times rotated, as
// published, DIR/probe/CHECKPOINT=*, for similarity.jsonnet, and of the tasks' images, DIR/tasks/CHECKPOINT=*, for
// compare_agents.jsonnet. With `--engine ray` each worker trains one at a time; the same command goes on.
//
// Variables are those of agent.jsonnet, but for CHECKPOINT, and DTYPE.
// -o '{"steps.agent.overrides": {"model.architecture": "resnet18"}}' is another network.
local env = import '../common/env.libsonnet';
local agents = import 'agents.libsonnet';
local features = {
  command: 'embed',
  config: env.beside(std.thisFile, 'agent_features.jsonnet'),
  environment: { MODEL_NAME: '{agent}/transformer' },
};
{
  axes: { CHECKPOINT: agents.names },
  steps: {
    agent: { command: 'train', config: env.beside(std.thisFile, 'agent.jsonnet') },
    probe: features {
      overrides: { 'images.part': 'probe', 'images.rotations': [0, -5, 5, -10, 10, -15, 15] },
    },
    tasks: features,
  },
}
