#!/usr/bin/env bash
# ReCross's reranker: mine tuples, train, mine again with the trained one's candidates, train on.
# POOL_PATH=pool.jsonl MODEL_NAME=yuchenlin/BART0 shell_scripts/recross/bootstrap.sh DIR [ITERATIONS]
# Each step has its settings from the environment (training_config/recross); RERANKER_MODEL is the base (roberta-base).
set -euo pipefail
reranker=""
for iteration in $(seq 0 $((${2:-2} - 1))); do
  tuples="$1/tuples_$iteration" next="$1/reranker_$iteration"
  RERANKER="$reranker" SEED="$iteration" allennlp mine-tuples training_config/recross/mine_loss.jsonnet -s "$tuples"
  [ -f "$next/model.tar.gz" ] || TRAIN_DATA_PATH="$tuples/train.jsonl" VALIDATION_DATA_PATH="$tuples/dev.jsonl" \
    MODEL_NAME="${RERANKER_MODEL:-roberta-base}" WEIGHTS_NAME="${reranker:+$reranker/best.th}" \
    allennlp train training_config/recross/reranker.jsonnet -s "$next" --include-package attribution
  reranker="$next"
done
