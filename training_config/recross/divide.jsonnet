// A task as ReCross's builder makes it: of each raw row 10, 7, 5 or 1 prompts, by the number of rows, of the templates
// that exact match can evaluate; then upstream, validation and test rows, and 20 rounds of query sets. DIR/upstream.json
// is a POOL_SOURCE of build_pool.jsonnet, DIR/fewshot.json a TARGET_PATH (with SHOTS) and DIR/test.json the TEST_PATH of
// rounds.jsonnet. All settings are of `allennlp divide`, and of `templates` among its sources.
//
// TASK                  its name, the first field of each row's id, by which ReCross tells tasks: 'super_glue-cb'
// TRAIN_DATA_PATH       raw rows of the task's training part, in any format that is read
// VALIDATION_DATA_PATH  those of its validation part, whose first make the test rows
// TEMPLATES_PATH        promptsource's templates.yaml of the task
//
// Of prompted rows, and of BIG-bench's tasks, the sources alone differ:
//   (import 'divide.jsonnet') { train: { type: 'big_bench', path: 'tasks/strategyqa' }, validation: null, size: 500 }
local env = import '../common/env.libsonnet';
local part(path, split) = {
  type: 'templates',
  task: env.required('TASK'),
  rows: { type: 'rows', path: env.required(path), split: split },
  templates: env.required('TEMPLATES_PATH'),
  metrics: ['Accuracy', 'Squad'],
  per_row: 'by_size',
};
{
  train: part('TRAIN_DATA_PATH', 'train'),
  validation: part('VALIDATION_DATA_PATH', 'validation'),
  upstream: 10000,
  size: 1000,
  shots: [16, 32, 64, 128, 256, 512],
  rounds: 20,
  seed: 42,
}
