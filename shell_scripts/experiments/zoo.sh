#!/usr/bin/env bash
# README's figures of the checkpoint zoo: seven checkpoints of the package index, how alike they are, the few that
# mutual information chooses, random sets and single ones, and what a linear probe makes of each: a page, RUNS/report.
#   shell_scripts/experiments/zoo.sh CACHE RUNS      CACHE: .cache/demo, say; what is missing there is fetched
# TASKS: of conll2000_chunking, conll2003_ner, conllx_pos, with spaces between (the first).
# CHECKPOINTS: names of CACHE/zoo.json (all).  SENTENCES: of the probe text (all).  EPOCHS (40).  KS (1 2 3 4 5), ROUNDS
# (7), SEEDS: see compare_sets.jsonnet and compare_singles.jsonnet.  What is there already is not made again.
set -euo pipefail
configs=training_config/checkpoint_zoo
python shell_scripts/checkpoint_zoo/checkpoints.py "$1"
ZOO=$(cat "$1/zoo.json")
export ALLENNLP_LOG_LEVEL=WARNING TRANSFORMERS_VERBOSITY=error HF_HUB_DISABLE_PROGRESS_BARS=1
export ZOO MIN_WORDS=5 DTYPE=float32 BATCH_SIZE=${BATCH_SIZE:-8} KS=${KS:-1 2 3 4 5} ROUNDS=${ROUNDS:-7}
export CHECKPOINTS=${CHECKPOINTS:-$(python -c 'import json, sys; print(*json.load(open(sys.argv[1])))' "$1/zoo.json")}
TEXT_PATH=$1/probe.txt allennlp sweep $configs/features.jsonnet -s "$2/probe"
VECTORS="$2/probe/words/CHECKPOINT=*" allennlp similarity $configs/similarity.jsonnet -s "$2/similarity"
export COVARIANCE_PATH=$2/similarity/similarity.npz
K=${KS##* } allennlp select $configs/select.jsonnet -s "$2/chosen"
SENTENCES='' READER=conll2003_ner TEXT_PATH=$1/tagging/all.txt allennlp sweep $configs/features.jsonnet -s "$2/tagging"
export FEATURES="$2/tagging/words/CHECKPOINT=*" ENCODING=BIO
pages=()
for TASK in ${TASKS:-conll2000_chunking}; do
  rows=$1/tagging/$TASK
  export TASK TRAIN_DATA_PATH=$rows/train.txt VALIDATION_DATA_PATH=$rows/validation.txt TEST_DATA_PATH=$rows/test.txt
  allennlp sweep $configs/compare_sets.jsonnet -s "$2/$TASK"
  allennlp sweep $configs/compare_singles.jsonnet -s "$2/${TASK}_singles"
  pages+=("$2/$TASK" "$2/${TASK}_singles")
done
allennlp report "${pages[@]}" "$2/chosen" "$2/similarity" -s "$2/report" --force
