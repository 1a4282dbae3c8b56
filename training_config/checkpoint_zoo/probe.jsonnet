// A linear probe over the features of some checkpoints side by side, on a task of words.
//
// FEATURES              a pattern of folders of `allennlp embed` that have the words of all files: DIR/words/CHECKPOINT=*
// SELECTED              the selected.json of `allennlp select`: these of them only (all)
// MODELS                instead: hub ids or folders, with blanks between, whose features are worked out
// TASK                  conll2000_chunking, conll2003_ner, conllx_pos, semantic_tagging, event_factuality,
//                       constituency_ancestors or token_error_detection
// TRAIN_DATA_PATH, VALIDATION_DATA_PATH, TEST_DATA_PATH   the task's files (the last may be left out)
// SELECT_ON             the epoch that is best on it is taken: validation; or test, as published for images (validation)
// ANCESTOR              of constituency_ancestors: parent, grandparent or great_grandparent (parent)
// ENCODING              of conll2003_ner: BIO or IOB1 (IOB1)
// POOLING               of MODELS: a word's pieces: first, last or mean (last)
// LAYER                 of MODELS: 0 is the embeddings (-1, the last)
// MAX_INSTANCES         train on the first so many sentences (all); a random tenth of all:
//                       -o '{"dataset_reader.fraction": 0.1, "dataset_reader.fraction_seed": 0}'
// EPOCHS                (40)
// LEARNING_RATE         of Adam (1e-3)
// BATCH_SIZE            sentences (64)
// SEED                  (0)
// CUDA_DEVICE           (a GPU where there is one)
local env = import '../common/env.libsonnet';
local task = env.required('TASK');
local test = env.optional('TEST_DATA_PATH', '');
local max_instances = env.integer('MAX_INSTANCES', 0);
local features = env.optional('FEATURES', '');
local selected = env.optional('SELECTED', '');
local select_on = env.optional('SELECT_ON', 'validation');
local settings = (import 'probe_tasks.libsonnet').settings(task);
local reader = { type: task } + settings.reader;
{
  dataset_reader: reader + (if max_instances > 0 then { max_instances: max_instances } else {}),
  validation_dataset_reader: reader,
  train_data_path: env.required('TRAIN_DATA_PATH'),
  validation_data_path: {
    validation: env.required('VALIDATION_DATA_PATH'),
    test: env.required('TEST_DATA_PATH'),
  }[select_on],
  [if test != '' then 'test_data_path']: test,
  [if test != '' then 'evaluate_on_test']: true,
  datasets_for_vocab_creation: ['train'],
  model: {
    type: 'linear_token_probe',
    [if features != '' then 'features']: {
      folders: features,
      [if selected != '' then 'names']: selected,
    },
    [if features == '' then 'checkpoints']: [
      { model_name: name, pooling: env.optional('POOLING', 'last'), layer: env.integer('LAYER', -1) }
      for name in std.split(env.required('MODELS'), ' ')
      if name != ''
    ],
    metric: settings.metric,
  },
  data_loader: { batch_size: env.integer('BATCH_SIZE', 64), shuffle: true },
  trainer: {
    num_epochs: env.integer('EPOCHS', 40),
    optimizer: { type: 'adam', lr: std.parseJson(env.optional('LEARNING_RATE', '1e-3')) },
    validation_metric: settings.best,
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
  },
  local seed = env.integer('SEED', 0),
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
}
