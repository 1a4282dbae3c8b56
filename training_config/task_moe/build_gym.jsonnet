// A few-shot task from prompted rows {input, target, answer_choices}, in the format of the NLP Few-shot Gym.
//
// TASK             the task's name
// TRAIN_DATA_PATH  the rows to draw training and development rows from
// TEST_DATA_PATH   the test rows
// SHOTS            so many training and so many development rows (16)
// PER_CLASS        whether SHOTS is for each answer: true for classification (false)
// SEEDS            a sample for each (13 21 42 87 100)
// MAX_TEST_ROWS    at most so many test rows, drawn at random (all)
local env = import '../common/env.libsonnet';
local cap = env.integer('MAX_TEST_ROWS', 0);
{
  tasks: {
    [env.required('TASK')]: {
      reader: { type: 'p3_jsonl' },
      train_data_path: env.required('TRAIN_DATA_PATH'),
      test_data_path: env.required('TEST_DATA_PATH'),
      shots: env.integer('SHOTS', 16),
      per_class: env.optional('PER_CLASS', 'false') == 'true',
    },
  },
  seeds: std.map(std.parseInt, std.split(env.optional('SEEDS', '13 21 42 87 100'), ' ')),
  [if cap > 0 then 'max_test_rows']: cap,
}
