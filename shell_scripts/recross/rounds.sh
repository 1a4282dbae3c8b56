#!/usr/bin/env bash
# ReCross (Lin et al., 2022) from a pool and targets to a page, RUNS/report: a reranker, the sweep RUNS/rounds (see
# rounds.jsonnet), and what each arm gains over BASELINE (none).
#   POOL_PATH=pool.jsonl UPSTREAM=yuchenlin/BART0 EXTRA_BOS=true TARGETS='cb wic' TARGET_PATH='rows/{TARGET}.jsonl' \
#     TEST_PATH='tests/{TARGET}.jsonl' ARMS='none random bm25 bart0 bart0_rerank' shell_scripts/recross/rounds.sh RUNS
# UPSTREAM is a trained model; or else MODEL_NAME is trained on POOL_PATH first. RERANKER is a cross-encoder; or else, if
# one of ARMS needs it, bootstrap.sh trains one in ITERATIONS (1), with the variables in BOOTSTRAP ('SIZE=300 EPOCHS=5'):
# those of the sweep are not for it. What is there already is not made again; more of ARMS, TARGETS or ROUNDS are added.
set -euo pipefail
configs=training_config/recross
if [ -z "${UPSTREAM:-}" ]; then
  UPSTREAM=$1/upstream/transformer
  [ -f "$1/upstream/model.tar.gz" ] || UPSTREAM_PATH=$POOL_PATH allennlp train $configs/upstream.jsonnet \
    -s "$1/upstream" $([ -f "$1/upstream/config.json" ] && echo --recover)
fi
export MODEL_NAME=$UPSTREAM ARMS=${ARMS:-none random bm25 bart0} INDEX_PATH=$1/indexes
if [[ "$ARMS " == *"_rerank "* && -z "${RERANKER:-}" ]]; then
  export RERANKER=$1/bootstrap/reranker_$((${ITERATIONS:-1} - 1))
  # shellcheck disable=SC2086
  env -u RERANKER -u SIZE -u ROUNDS -u EPOCHS -u BATCH_SIZE -u LEARNING_RATE -u INDEX_PATH ${BOOTSTRAP:-} \
    shell_scripts/recross/bootstrap.sh "$1/bootstrap" "${ITERATIONS:-1}"
fi
allennlp sweep $configs/rounds.jsonnet -s "$1/rounds"
allennlp report "$1/rounds" -s "$1/report" --force --rows TARGET --columns ARM --baseline "ARM=${BASELINE:-none}"
