#!/usr/bin/env bash
# README's figures of ReCross: three targets of a folder of P3 rows, a small BART, five arms, three query sets each.
#   shell_scripts/experiments/recross.sh MINILM P3_FOLDER BASE RUNS
# MINILM: .cache/demo/encoder; P3_FOLDER: pool.jsonl.gz, super_glue-rte.validation.jsonl.gz, .test.jsonl.gz, cb, wic;
# BASE: the base/transformer that merges.sh made. A variable that is set already is kept: ARMS, TARGETS, ROUNDS, ...
set -euo pipefail
export POOL_SOURCE=$2/pool.jsonl.gz TASKS=all MAX_PER_TASK=${MAX_PER_TASK:-50} UPSTREAM=$3 SBERT_NAME=$1 RERANKER_MODEL=$1
export TARGETS=${TARGETS:-rte cb wic} TARGET_PATH="$2/super_glue-{TARGET}.validation.jsonl.gz"
export TEST_PATH="$2/super_glue-{TARGET}.test.jsonl.gz" TEST_SIZE=${TEST_SIZE:-100}
export ARMS=${ARMS:-none random bm25 sbert sbert_rerank} ROUNDS=${ROUNDS:-3} QUERY_SIZE=${QUERY_SIZE:-16}
export SIZE=${SIZE:-64} MU=2 MAX_QUERIES=${MAX_QUERIES:-4} EPOCHS=${EPOCHS:-1} LEARNING_RATE=${LEARNING_RATE:-3e-4}
export MAX_QUERY_LENGTH=128 NUM_BEAMS=1 EVALUATION_BATCH_SIZE=50
export BOOTSTRAP=${BOOTSTRAP:-RETRIEVER=bm25 SIZE=16 HELD_OUT=32 CANDIDATES=40 GROUP_SIZE=8 ROUNDS=2 POSITIVES=4 \
EPOCHS=1 LEARNING_RATE=5e-5 WARMUP_STEPS=5 BATCH_SIZE=32 MAX_LENGTH=80}
shell_scripts/recross/recross.sh "$4"
