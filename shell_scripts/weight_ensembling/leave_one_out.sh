#!/usr/bin/env bash
# Lv et al. (2023) on a few-shot gym: a delta for each task on all its rows; how alike they are, by each of MEASURES; for
# each task and measure the merge of all others; few-shot tuning from these and from scratch; a page, RUNS/report.
#   GYM=gym MODEL_NAME=google/t5-base-lm-adapt TASKS='boolq rte' shell_scripts/weight_ensembling/leave_one_out.sh RUNS
# All rows of a task are the gym's TASK_fulldata_{train,dev}.tsv (SHOTS then says which are the few), or those of ROWS
# (and VALIDATION_DATA_PATH): see sources.jsonnet. INPUT_PREFIX and ANSWER_PREFIX are of sources and targets.
# SOURCE_UPDATES, UPDATES, TRIAL_UPDATES: of the sources, of few-shot tuning ('0 1000': the merges as they are, too), of
# each source on each target (euclidean, performance): 1000, 1000 and 200; published are at most 100000, early stopping,
# and 200. POOL_PATH and PROBE_PATH, for retrieval_overlap and kernel_alignment, and all other variables of
# training_config/weight_ensembling. What is there already is not made again.
set -euo pipefail
configs=training_config/weight_ensembling
measures=${MEASURES:-loss el2n kl logit_label_cosine grand hidden_cosine parameter_cosine euclidean performance}
export DELTAS="$1/sources/delta/TASK=*" RETRIEVED="$1/sources/rows/TASK=*" VECTORS="$1/sources/vectors/TASK=*"
export TUNED="$1/trials/tuned/SOURCE={source},TARGET={target}" BEFORE="$1/trials/before/SOURCE={source},TARGET={target}/metrics.json"
export AFTER="$TUNED/metrics.json" RATES=${RATES:-5e-4} SHOT_SEEDS=${SHOT_SEEDS:-13 21 42} UPDATES=${UPDATES:-1000}

# The targets' own deltas: of scratch, the first of what there is to choose from, and the most updates.
own="INIT=scratch,LEARNING_RATE=${RATES%% *},SHOT_SEED=${SHOT_SEEDS%% *},TASK=*"
size=${BATCH_SIZE:+BATCH_SIZE=${BATCH_SIZE%% *}}
if [[ ${BATCH_SIZE:-} = *' '* ]]; then own="$size,$own"; fi
most=$(printf '%s\n' $UPDATES | sort -n | tail -n 1)
if [[ $UPDATES = *' '* ]]; then own="$own,UPDATES=$most"; fi
if [[ $most = 0 && $measures = *@(kl|hidden_cosine|parameter_cosine)* ]]; then
  echo "UPDATES is 0: targets have no deltas of their own, which kl, hidden_cosine and parameter_cosine compare with;" \
    "leave these out of MEASURES, or set UPDATES='0 1000'" >&2
  exit 1
fi
export TARGET_DELTAS="$1/few_shot/tuned/$own"

source_updates=${SOURCE_UPDATES:-1000} every=${VALIDATE_EVERY:-100}
if [[ ${ROWS:-} && ! ${VALIDATION_DATA_PATH:-} ]]; then every=$source_updates; fi
UPDATES=$source_updates VALIDATE_EVERY=$every env $size allennlp sweep $configs/sources.jsonnet -s "$1/sources"
INITS=scratch allennlp sweep $configs/few_shot.jsonnet -s "$1/few_shot"
case " $measures " in *" euclidean "* | *" performance "*)
  TARGETS=$TASKS DELTAS="$1/sources/delta/TASK={SOURCE}" UPDATES=${TRIAL_UPDATES:-200} SHOT_SEED=${SHOT_SEEDS%% *} \
    env $size allennlp sweep $configs/tune_sources.jsonnet -s "$1/trials" ;;
esac
INITS="scratch uniform ${CATEGORIES:+group }$measures" allennlp sweep $configs/few_shot.jsonnet -s "$1/few_shot"
allennlp report "$1/few_shot" "$1"/few_shot/similarity/* -s "$1/report" --rows TASK --columns INIT --baseline INIT=scratch
