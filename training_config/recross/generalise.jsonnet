// ReCross's generalisation: a copy of the upstream model on retrieved rows, on a few labelled ones, or on both. Settings
// as published; `allennlp evaluate` then measures it. As common.libsonnet, and
//
// MODE             unsupervised (the default): on RETRIEVED_PATH; few_shot: on FEW_SHOT_PATH; mix: on both, as many of
//                  each; two_stage: on FEW_SHOT_PATH, from the WEIGHTS_NAME (best.th) that `unsupervised` left; none: not
//                  trained, though FEW_SHOT_PATH, or else TEST_PATH, is read. Of ARM none, where nothing is retrieved,
//                  unsupervised is none, mix and two_stage few_shot
// RETRIEVED_PATH   retrieved.jsonl
// FEW_SHOT_PATH    the query set's labelled rows: DIR/pool.jsonl of target.jsonnet
// SIZE             of mix: how many rows of each, the few ones again and again (512)
// EPOCHS           (1; few_shot and two_stage 5). As published two epochs were asked for, and one was run
// LEARNING_RATE    (6e-6; few_shot and two_stage 1e-5)
// BATCH_SIZE       (4); the gradient's norm is cut at GRADIENT_NORM (0.1)
// SEED, ROUND      random draws by their sum (42, 0)
local env = import '../common/env.libsonnet';
local common = import 'common.libsonnet';
local asked = env.optional('MODE', 'unsupervised');
local without_retrieval = { unsupervised: 'none', mix: 'few_shot', two_stage: 'few_shot' };
local mode = if env.optional('ARM', '') == 'none' then std.get(without_retrieval, asked, asked) else asked;
local batch_size = env.integer('BATCH_SIZE', 4);
local on(path, epochs, lr) = {
  train_data_path: path,
  data_loader: { batch_size: batch_size, shuffle: true },
  trainer+: {
    num_epochs: env.integer('EPOCHS', epochs),
    optimizer: common.optimizer(common.number('LEARNING_RATE', lr)),
    grad_norm: common.number('GRADIENT_NORM', '0.1'),
    checkpointer: { keep_most_recent_by_count: 1 },
  },
};
local retrieved() = env.required('RETRIEVED_PATH');
local few() = env.required('FEW_SHOT_PATH');
local any_rows() = if env.optional('FEW_SHOT_PATH', '') != '' then few() else env.required('TEST_PATH');
local few_shot() = on(few(), 5, '1e-5') {
  dataset_reader+: { max_query_length: env.integer('MAX_QUERY_LENGTH', 386) },
};
local modes = {
  unsupervised():: on(retrieved(), 1, '6e-6'),
  few_shot():: few_shot(),
  two_stage():: few_shot() { model+: { weights_file: env.required('WEIGHTS_NAME') } },
  mix():: on({ retrieved: retrieved(), few_shot: few() }, 1, '6e-6') {
    dataset_reader: { type: 'multitask', readers: { retrieved: common.rows, few_shot: common.rows } },
    data_loader: {
      type: 'multitask',
      scheduler: { type: 'roundrobin', batch_size: batch_size },
      sampler: 'uniform',
      instances_per_epoch: 2 * env.integer('SIZE', 512),
    },
  },
  none():: { train_data_path: any_rows(), data_loader: { batch_size: batch_size }, trainer: { type: 'no_op' } },
};
if std.objectHasAll(modes, mode) then common + modes[mode]()
else error 'MODE is "' + mode + '"; ' + std.join(', ', std.objectFieldsAll(modes)) + ' are possible'
