#!/usr/bin/env bash
# README's figures of the checkpoint zoo: seven checkpoints of the package index, how alike they are and by how many
# words that is known, the few that mutual information chooses, random sets and single ones, and what a linear probe
# makes of each: a page, RUNS/report.
#   shell_scripts/experiments/zoo.sh CACHE RUNS      CACHE: .cache/demo, say; what is missing there is fetched
# TASKS: of conll2000_chunking, conll2003_ner, conllx_pos, with spaces between (the first).
# CHECKPOINTS: names of CACHE/zoo.json (all).  SENTENCES: of the probe text (all).  EPOCHS (40).  KS (1 2 3 4 5), ROUNDS
# (7), SEEDS: see compare_sets.jsonnet and compare_singles.jsonnet.  SIZES: words of the curve of convergence (100 200
# 500 1000 2000 4000).  BATCH_SIZE: sentences, of the probe (8).  What is there already is not made again.
set -euo pipefail
sentences=${BATCH_SIZE:-8}  # A batch of the probe: that of similarity.jsonnet is of words.
unset BATCH_SIZE
configs=training_config/checkpoint_zoo
python shell_scripts/checkpoint_zoo/checkpoints.py "$1"
ZOO=$(cat "$1/zoo.json")
export ALLENNLP_LOG_LEVEL=WARNING TRANSFORMERS_VERBOSITY=error HF_HUB_DISABLE_PROGRESS_BARS=1
export ZOO MIN_WORDS=5 DTYPE=float32 KS=${KS:-1 2 3 4 5} ROUNDS=${ROUNDS:-7}
export CHECKPOINTS=${CHECKPOINTS:-$(python -c 'import json, sys; print(*json.load(open(sys.argv[1])))' "$1/zoo.json")}
TEXT_PATH=$1/probe.txt allennlp sweep $configs/features.jsonnet -s "$2/probe"
export VECTORS="$2/probe/words/CHECKPOINT=*" COVARIANCE_PATH=$2/similarity/similarity.npz
allennlp similarity $configs/similarity.jsonnet -s "$2/similarity"
SIZES=${SIZES:-100 200 500 1000 2000 4000} allennlp sweep $configs/sizes.jsonnet -s "$2/sizes"
OTHERS="$2/sizes/kappa/MAX_ROWS=*" \
  allennlp compare-covariances $configs/compare_covariances.jsonnet -s "$2/convergence" --force
K=${KS##* } allennlp select $configs/select.jsonnet -s "$2/chosen"
SENTENCES='' READER=conll2003_ner TEXT_PATH=$1/tagging/all.txt allennlp sweep $configs/features.jsonnet -s "$2/tagging"
export FEATURES="$2/tagging/words/CHECKPOINT=*" ENCODING=BIO BATCH_SIZE=$sentences
pages=()
for TASK in ${TASKS:-conll2000_chunking}; do
  rows=$1/tagging/$TASK
  export TASK TRAIN_DATA_PATH=$rows/train.txt VALIDATION_DATA_PATH=$rows/validation.txt TEST_DATA_PATH=$rows/test.txt
  allennlp sweep $configs/compare_sets.jsonnet -s "$2/$TASK"
  allennlp sweep $configs/compare_singles.jsonnet -s "$2/${TASK}_singles"
  pages+=("$2/$TASK" "$2/${TASK}_singles")
done
allennlp report "${pages[@]}" "$2/chosen" "$2/convergence" "$2/similarity" -s "$2/report" --linkage ward --force
