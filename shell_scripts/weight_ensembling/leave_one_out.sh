#!/usr/bin/env bash
# Lv et al. (2023) on a few-shot gym: a delta for each task on all its rows; how alike they are, by each of MEASURES; for
# each task and measure the merge of all others; few-shot tuning from these and from scratch; a page, RUNS/report.
#   GYM=gym ROWS=rows MODEL_NAME=google/t5-base-lm-adapt TASKS='boolq rte' shell_scripts/weight_ensembling/leave_one_out.sh RUNS
# SOURCE_UPDATES, UPDATES, TRIAL_UPDATES: of the sources, of few-shot tuning, of each source on each target (euclidean,
# performance). POOL_PATH and PROBE_PATH, for retrieval_overlap and kernel_alignment, and all other variables of
# training_config/weight_ensembling. What is there already is not made again.
set -euo pipefail
configs=training_config/weight_ensembling
measures=${MEASURES:-loss el2n kl logit_label_cosine grand hidden_cosine parameter_cosine euclidean performance}
export DELTAS="$1/sources/delta/TASK=*" RETRIEVED="$1/sources/rows/TASK=*" VECTORS="$1/sources/vectors/TASK=*"
export TUNED="$1/trials/tuned/TARGET={target},SOURCE={source}" BEFORE="$1/trials/before/TARGET={target},SOURCE={source}/metrics.json"
export AFTER="$TUNED/metrics.json" RATES=${RATES:-5e-4} SHOT_SEEDS=${SHOT_SEEDS:-13 21 42} UPDATES=${UPDATES:-1000}
export TARGET_DELTAS="$1/few_shot/tuned/TASK=*,INIT=scratch,LEARNING_RATE=${RATES%% *},SHOT_SEED=${SHOT_SEEDS%% *}"

UPDATES=${SOURCE_UPDATES:-1000} allennlp sweep $configs/sources.jsonnet -s "$1/sources"
INITS=scratch allennlp sweep $configs/few_shot.jsonnet -s "$1/few_shot"
case " $measures " in *" euclidean "* | *" performance "*)
  TARGETS=$TASKS DELTAS="$1/sources/delta/TASK={SOURCE}" UPDATES=${TRIAL_UPDATES:-200} SHOT_SEED=${SHOT_SEEDS%% *} \
    allennlp sweep $configs/tune_sources.jsonnet -s "$1/trials" ;;
esac
INITS="scratch uniform ${GROUPS_PATH:+group }$measures" allennlp sweep $configs/few_shot.jsonnet -s "$1/few_shot"
allennlp report "$1/few_shot" "$1"/few_shot/similarity/* -s "$1/report" --rows TASK --columns INIT --baseline INIT=scratch
