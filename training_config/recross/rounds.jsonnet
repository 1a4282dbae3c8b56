// A sweep: ReCross's evaluation. For each target, retrieval arm and query set rows are retrieved, a copy of the upstream
// model is trained on them, and measured on the target's test rows, which all rounds share.
// `allennlp report DIR --rows TARGET --columns ARM --baseline ARM=none` shows what retrieval is good for.
//
// TARGETS      names, with spaces between
// TARGET_PATH  the rows that query sets are drawn from, with {TARGET} for the name: prompted rows, or ReCross's query file
//              (SHOTS); none of these may be a test row. Of arm none alone it is not read, unless MODE trains on them
// TEST_PATH    the test rows, in the same way; TEST_SIZE so many of them (0: all)
// ARMS         none and ARMs of retrieve.jsonnet, with spaces between (none random bm25 bart0); with _rerank at its end an
//              arm retrieves more rows, of which RERANKER keeps the best
// ROUNDS       query sets (5) of QUERY_SIZE (16), where an arm reads them: the untrained model is measured once
// MODE         as in generalise.jsonnet (unsupervised); of two_stage the first stage is a step of its own
// MODEL_NAME   the upstream model, or several as JSON, which are an axis then: '["yuchenlin/BART0", "bigscience/T0_3B"]'
//              with ARMS=none compares base models without retrieval (--rows TARGET --columns MODEL_NAME)
// METRICS      of the test, with spaces between (soft_exact_match exact_match)
// INDEX_PATH   a folder for the indexes of the arms (none is kept)
// VECTORS_BART0, VECTORS_SBERT, ...  those of an arm that are there already; the sweep makes the others
// Others are those of retrieve.jsonnet (POOL_PATH, SIZE, MU, ...) and generalise.jsonnet (EPOCHS, ...).
local env = import '../common/env.libsonnet';
local words(name, default) =
  local found = std.filter(function(word) word != '', std.split(env.optional(name, default), ' '));
  if found != [] then found else error name + ' is empty; names with blanks between are needed';
local rounds = env.integer('ROUNDS', 5);
local arms = words('ARMS', 'none random bm25 bart0');
local retrieved = [arm for arm in arms if arm != 'none'];
local mode = env.optional('MODE', 'unsupervised');
local two_stage = mode == 'two_stage';
local queried = if mode == 'unsupervised' then retrieved else arms;
local untrained = std.filter(function(arm) !std.member(queried, arm), arms);
local model = env.optional('MODEL_NAME', '');
local models = if std.startsWith(model, '[') then std.parseJson(model) else [];
local of_model = if models == [] then [] else ['MODEL_NAME'];
local indexes = env.optional('INDEX_PATH', '');
// Whose vectors an arm needs; arms that differ in the reranker alone share them.
local found_by(arm) =
  local first = std.strReplace(arm, '_rerank', '');
  if first == 'two_stage' then env.optional('FIRST', 'bm25') else first;
local encoders = std.filter(
  function(name) std.member(std.map(found_by, arms), name) && env.optional('VECTORS_' + std.asciiUpper(name), '') == '',
  std.objectFields(import 'encoders.libsonnet')
);
local rows(path, settings) = {
  command: 'build-pool',
  config: env.beside(std.thisFile, 'target.jsonnet'),
  environment: { TARGET_PATH: env.required(path) } + settings,
};
local training = {
  command: 'train',
  config: env.beside(std.thisFile, 'generalise.jsonnet'),
  // Of a step that is not there nothing is said.
  environment: {
    [if retrieved != [] then 'RETRIEVED_PATH']: '{rows}/retrieved.jsonl',
    FEW_SHOT_PATH: if queried != [] then '{queries}/pool.jsonl' else '',
    [if untrained != [] then 'TEST_PATH']: '{any_row}/pool.jsonl',
  },
};
{
  axes: {
    TARGET: words('TARGETS', env.required('TARGETS')),
    ARM: arms,
    [if models != [] then 'MODEL_NAME']: models,
    ROUND: if rounds > 0 then std.range(0, rounds - 1) else error 'ROUNDS is %d; at least one is needed' % rounds,
  },
  steps: {
    test_rows: rows('TEST_PATH', { TARGET_SIZE: env.integer('TEST_SIZE', 0), SHOTS: 0 }) { axes: ['TARGET'] },
  } + {
    [if queried != [] then 'queries']:
      rows('TARGET_PATH', { TARGET_SIZE: env.integer('QUERY_SIZE', 16) }) {
        axes: ['TARGET', 'ROUND'],
        only: { ARM: queried },
      },
    [if untrained != [] then 'any_row']:
      rows('TEST_PATH', { TARGET_SIZE: 1, SHOTS: 0 }) { axes: ['TARGET'], only: { ARM: untrained } },
  } + {
    ['vectors_' + name]: {
      command: 'embed',
      config: env.beside(std.thisFile, 'embed.jsonnet'),
      axes: of_model,
      only: { ARM: [arm for arm in arms if found_by(arm) == name] },
      environment: { ARM: name },
    }
    for name in encoders
  } + {
    [if retrieved != [] then 'rows']: {
      command: 'retrieve',
      config: env.beside(std.thisFile, 'retrieve.jsonnet'),
      only: { ARM: retrieved },
      environment: {
        QUERY_PATH: '{queries}/pool.jsonl',
        OVERLAP_PATH: '{test_rows}/pool.jsonl',
        // Of several models each has an index of its own.
        [if indexes != '' then 'INDEX_PATH']: std.join('/', [indexes, '{ARM}'] + ['{MODEL_NAME}' for _ in of_model]),
      } + { ['VECTORS_' + std.asciiUpper(name)]: '{vectors_' + name + '}' for name in encoders },
    },
    [if two_stage then 'first']: training { only: { ARM: retrieved }, environment+: { MODE: 'unsupervised' } },
    tuned: training { environment+: { [if two_stage then 'WEIGHTS_NAME']: '{first}/best.th' } },
    test: {
      command: 'evaluate',
      archive: '{tuned}/model.tar.gz',
      input: '{test_rows}/pool.jsonl',
      predictions: true,
    },
  },
  [if untrained != [] then 'once']: { ROUND: { ARM: untrained } },
  repeat: ['ROUND'],
  metrics: ['test.' + metric for metric in words('METRICS', 'soft_exact_match exact_match')],
}
