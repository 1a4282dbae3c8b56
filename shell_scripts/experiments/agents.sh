#!/usr/bin/env bash
# The vision half of the checkpoint zoo on any labelled images: agents that each know some classes, how alike they are,
# and what a few of them, chosen in different ways, are worth for new tasks: a page, RUNS/report.
#   shell_scripts/experiments/agents.sh IMAGES RUNS [options of `allennlp sweep`]
# IMAGES: see IMAGES_PATH of agent.jsonnet. By default as published, a hundred of ResNet-50 on CIFAR-100; `--engine ray`
# trains on all workers of a cluster. Twelve small ones on scikit-learn's digits, on a CPU:
#   python shell_scripts/checkpoint_zoo/digits.py digits.npz
#   AGENTS=12 AGENT_CLASSES=5 NUM_TASKS=6 TASK_CLASSES=4 TEST=50 K=5 EPOCHS=20 BATCH_SIZE=64 \
#     shell_scripts/experiments/agents.sh digits.npz runs/agents -o '{"steps.agent.overrides": {"model.architecture":
#     "resnet18", "model.network": {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]},
#     "model.augmentation": {"padding": 1, "mirrored": 0}}}'
# Variables are those of agents.jsonnet and compare_agents.jsonnet; EPOCHS and LEARNING_RATE are the agents'. What is
# there already is not made again.
set -euo pipefail
configs=training_config/checkpoint_zoo
runs=$2
export IMAGES_PATH=$1 ALLENNLP_LOG_LEVEL=WARNING TRANSFORMERS_VERBOSITY=error
shift 2
allennlp sweep $configs/agents.jsonnet -s "$runs/agents" "$@"
env -u BATCH_SIZE -u SENTENCES VECTORS="$runs/agents/probe/CHECKPOINT=*" \
  allennlp similarity $configs/similarity.jsonnet -s "$runs/similarity"
export FEATURES="$runs/agents/tasks/CHECKPOINT=*" COVARIANCE_PATH=$runs/similarity/similarity.npz
env -u EPOCHS -u LEARNING_RATE allennlp compare-agents $configs/compare_agents.jsonnet -s "$runs/compared"
allennlp report "$runs/compared" "$runs/similarity" -s "$runs/report" --linkage ward --force
