#!/usr/bin/env bash
# ReCross's reranker: mine tuples, train, mine again with the trained one's candidates, train on.
#   POOL_PATH=pool.jsonl MODEL_NAME=yuchenlin/BART0 shell_scripts/recross/bootstrap.sh DIR [ITERATIONS]
# FIRST_MINER: groups takes the first tuples from groups of tasks (loss). Each step has its settings from the environment
# (training_config/recross); RERANKER_MODEL is the base (roberta-base). What is there already is not made again.
set -euo pipefail
configs=training_config/recross
mkdir -p "$1"
if [ "${RETRIEVER:-exact}" = bm25 ]; then
  export INDEX_PATH=${INDEX_PATH:-$1/index}
elif [ -z "${VECTORS_PATH:-}" ] && [ "${FIRST_MINER:-loss} ${2:-2}" != "groups 1" ]; then
  export VECTORS_PATH=$1/vectors
  ARM=bart0 MODEL_NAME=${ENCODER_NAME:-$MODEL_NAME} allennlp embed $configs/embed.jsonnet -s "$VECTORS_PATH"
fi
reranker="" miner=${FIRST_MINER:-loss}
for iteration in $(seq 0 $((${2:-2} - 1))); do
  tuples="$1/tuples_$iteration" next="$1/reranker_$iteration"
  RERANKER="$reranker" SEED="$iteration" allennlp mine-tuples "$configs/mine_$miner.jsonnet" -s "$tuples"
  [ -f "$next/model.tar.gz" ] || TRAIN_DATA_PATH="$tuples/train.jsonl" VALIDATION_DATA_PATH="$tuples/dev.jsonl" \
    MODEL_NAME="${RERANKER_MODEL:-roberta-base}" WEIGHTS_NAME="${reranker:+$reranker/best.th}" \
    allennlp train $configs/reranker.jsonnet -s "$next" $([ -f "$next/config.json" ] && echo --recover)
  reranker="$next" miner=loss
done
