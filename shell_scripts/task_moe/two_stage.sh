#!/usr/bin/env bash
# Task-level mixtures of experts (Ye et al., 2022) on a few-shot gym: vectors of all its tasks; stage one; stage two;
# BASELINES (multi_task uniform instance_random task_random), trained as long as stage two, and `base`, not trained at
# all; the routes; few-shot tuning of the unseen TASKS from each, and zero-shot; a page, RUNS/report.
#   GYM=gym TASK_SPLIT=split.json TASKS='boolq rte' MODEL_NAME=facebook/bart-base shell_scripts/task_moe/two_stage.sh RUNS
# STAGE_ONE_UPDATES, STAGE_TWO_UPDATES (30000, 60000) with an evaluation every STAGE_ONE_EVERY, STAGE_TWO_EVERY (750,
# 3000); RATE (6 / STAGE_TWO_UPDATES); UPDATES, VALIDATE_EVERY of few-shot tuning; CATEGORIES (data/few_shot_gym.json);
# DEV_METRICS, the TASK_METRICS of the stages, if those are others (none: the loss selects); and all other variables of
# training_config/task_moe. What is there already is not made again.
set -euo pipefail
configs=training_config/task_moe
baselines=${BASELINES-multi_task uniform instance_random task_random}
one=${STAGE_ONE_UPDATES:-30000} two=${STAGE_TWO_UPDATES:-60000} every=${STAGE_TWO_EVERY:-3000}
export MODELS=$1/models TASK_VECTORS=$1/vectors INITS=${INITS:-${baselines:+$baselines }base stage_one stage_two}
train() { # train CONFIG NAME: unless it is whole; one that was stopped goes on
  [ -f "$MODELS/$2/model.tar.gz" ] || TASK_METRICS=${DEV_METRICS-${TASK_METRICS:-}} \
    allennlp train "$configs/$1.jsonnet" -s "$MODELS/$2" $([ -f "$MODELS/$2/config.json" ] && echo --recover)
}
TASKS='' ENCODER_NAME=${ENCODER_NAME:-$MODEL_NAME} allennlp embed-tasks $configs/embed_tasks.jsonnet -s "$TASK_VECTORS"
UPDATES=$one EVERY=${STAGE_ONE_EVERY:-750} train stage_one stage_one
rate=${RATE:-$(awk "BEGIN { print 6 / $two }")}
ROUTER_FROM=$MODELS/stage_one UPDATES=$two EVERY=$every RATE=$rate train stage_two stage_two
for baseline in $baselines; do
  SELECTOR=$baseline UPDATES=$two EVERY=$every train stage_one "$baseline"
done
SELECTOR=multi_task UPDATES=0 train stage_one base
categories=${CATEGORIES-data/few_shot_gym.json}
allennlp routes "$MODELS/stage_two" -s "$1/routes" ${categories:+--categories "$categories" --features "$categories"}
allennlp sweep $configs/few_shot.jsonnet -s "$1/few_shot"
allennlp report "$1/few_shot" "$1/routes" "$1/routes/task_similarity.npz" -s "$1/report" --rows TASK --columns INIT \
  --baseline "INIT=${INITS%% *}" --force
