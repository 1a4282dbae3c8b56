#!/usr/bin/env bash
# ReCross (Lin et al., 2022) from upstream rows and targets to a page, RUNS/report: the pool, the upstream model, its
# vectors, tuples, a reranker, the sweep RUNS/rounds (rounds.jsonnet), and what each of ARMS gains over BASELINE (none).
#   POOL_SOURCE=upstream.json MODEL_NAME=facebook/bart-large TARGETS='cb wic' TARGET_PATH='rows/{TARGET}.jsonl' \
#     TEST_PATH='tests/{TARGET}.jsonl' ARMS='none random bm25 bart0 bart0_rerank' shell_scripts/recross/recross.sh RUNS
# Instead of POOL_SOURCE (build_pool.jsonnet; rows of the tasks of EXCLUDE_TASKS_OF, by default all test files, are left
# out, and counted): POOL_PATH, a pool.
# Instead of MODEL_NAME, which is trained on the pool: UPSTREAM, a trained model (yuchenlin/BART0), and EXTRA_BOS=true if
# it was trained so. RERANKER, BI_ENCODER: what is there; or else, as far as ARMS need them, bootstrap.sh mines tuples and
# trains a reranker in ITERATIONS (1), and bi_encoder.jsonnet is trained on the last tuples, with the variables in
# BOOTSTRAP and BI_ENCODER_SETTINGS ('SIZE=300 EPOCHS=5'): those of the sweep are not for them. All others are those of
# training_config/recross. What is there already is not made again; more of ARMS, ROUNDS and, with POOL_PATH, TARGETS are
# added.
set -euo pipefail
configs=training_config/recross
train() { # train CONFIG DIR: unless DIR is whole; one that was stopped goes on
  [ -f "$2/model.tar.gz" ] || allennlp train "$configs/$1.jsonnet" -s "$2" $([ -f "$2/config.json" ] && echo --recover)
}
apart() ( # apart 'NAME=VALUE ...' COMMAND: with these, and without those of the sweep
  unset SIZE ROUNDS CANDIDATES EPOCHS BATCH_SIZE LEARNING_RATE INDEX_PATH RERANKER
  for setting in $1; do export "${setting?}"; done
  "${@:2}"
)
needs() { # needs ARM: or _rerank
  [[ " ${ARMS//_rerank/ _rerank} ${FIRST:-} ${SECOND:-} " == *" $1 "* ]]
}
export ARMS=${ARMS:-none random bm25 bart0} INDEX_PATH=$1/indexes
possible="none random bm25 two_stage bart0 bart0_both vbart sbert bi_encoder"
for arm in $ARMS; do # Before anything is trained.
  [[ " $possible " == *" ${arm%_rerank} "* ]] || { echo "error: ARMS has $arm; possible: $possible" >&2 && exit 1; }
done
mkdir -p "$1"
if [ -z "${POOL_PATH:-}" ]; then
  tests=$(for target in $TARGETS; do echo "${TEST_PATH//\{TARGET\}/$target}"; done)
  EXCLUDE_TASKS_OF=${EXCLUDE_TASKS_OF-${tests//$'\n'/ }} allennlp build-pool $configs/build_pool.jsonnet -s "$1/pool"
  export POOL_PATH=$1/pool/pool.jsonl
fi
if [ -z "${UPSTREAM:-}" ]; then
  UPSTREAM_PATH=$POOL_PATH train upstream "$1/upstream"
  UPSTREAM=$1/upstream/transformer
fi
export MODEL_NAME=$UPSTREAM
if { needs _rerank && [ -z "${RERANKER:-}" ]; } || { needs bi_encoder && [ -z "${BI_ENCODER:-}" ]; }; then
  last=$((${ITERATIONS:-1} - 1))
  apart "${BOOTSTRAP:-}" shell_scripts/recross/bootstrap.sh "$1/bootstrap" "${ITERATIONS:-1}"
  export RERANKER=${RERANKER:-$1/bootstrap/reranker_$last}
  if [ -d "$1/bootstrap/vectors" ] && [[ "${BOOTSTRAP:-}" != *ENCODER_NAME=* ]]; then
    export VECTORS_BART0=${VECTORS_BART0:-$1/bootstrap/vectors}
  fi
fi
if needs bi_encoder && [ -z "${BI_ENCODER:-}" ]; then
  export TUPLES_PATH=$1/bootstrap/tuples_$last/train.jsonl BI_ENCODER=$1/bi_encoder
  apart "VALIDATION_DATA_PATH=$1/bootstrap/tuples_$last/dev.jsonl ${BI_ENCODER_SETTINGS:-}" train bi_encoder "$BI_ENCODER"
fi
allennlp sweep $configs/rounds.jsonnet -s "$1/rounds"
allennlp report "$1/rounds" -s "$1/report" --force --rows TARGET --columns ARM --baseline "ARM=${BASELINE:-none}"
