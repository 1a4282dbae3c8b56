#!/usr/bin/env bash
# README's figures of weight ensembling: eight tasks of a P3 pool, a small BART, eleven measures.
#   shell_scripts/experiments/merges.sh MINILM POOL RUNS      MINILM: .cache/demo/encoder; POOL: P3 rows, .jsonl.gz
# SHOT_SEEDS: samples of the gym (13; more of them extend what is there).
set -euo pipefail
configs=training_config/experiments
shell_scripts/experiments/base.sh "$1" "$2" "$3"
export GYM=$3/gym ROWS=$3/tasks MODEL_NAME=$3/base/transformer CATEGORIES=$configs/categories.json
export TASKS='rotten_tomatoes amazon_polarity yelp_review_full glue-qqp glue-mrpc paws_x-en ag_news dbpedia_14'
export BATCH_SIZE=8 DELTA=lora TARGET_MODULES='q_proj v_proj' METRIC=accuracy LEARNING_RATE=0.002 RATES=0.002 INPUT_PREFIX=''
export MAX_QUERY_LENGTH=96 MAX_ANSWER_LENGTH=16 SOURCE_UPDATES=250 UPDATES=24 VALIDATE_EVERY=8 TRIAL_UPDATES=8
export SHOT_SEEDS=${SHOT_SEEDS:-13} SEEDS=13
export MEASURES='loss el2n kl logit_label_cosine grand_per_example hidden_cosine parameter_cosine euclidean performance'
MEASURES+=' retrieval_overlap kernel_alignment'
export POOL_PATH=$3/base_pool/pool.jsonl RETRIEVER=bm25 QUERY_SIZE=100 SIZE=500 PROBE_PATH=$3/tasks/ag_news/test.jsonl
shell_scripts/weight_ensembling/leave_one_out.sh "$3/runs"
