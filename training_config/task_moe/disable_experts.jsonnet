// What each task loses without each expert: DIR/effects.npz, which `allennlp report DIR` shows.
//
// ARCHIVE       of the mixture
// GYM           the folder of a few-shot gym
// TASKS         names of its tasks, with spaces between (those that the training's development rows are of)
// SPLIT         train, dev, test (test)
// METRIC        loss, or one of the model's: fewshot_gym, if it was trained with TASK_METRICS (loss)
// UNSEEN_TASKS  a table with vectors of tasks that the mixture does not know
// BATCH_SIZE    rows a pass (16)
local env = import '../common/env.libsonnet';
local tasks = env.optional('TASKS', '');
local unseen = env.optional('UNSEEN_TASKS', '');
{
  archive: env.required('ARCHIVE'),
  input: env.required('GYM'),
  metric: env.optional('METRIC', 'loss'),
  [if tasks != '' then 'tasks']: std.split(tasks, ' '),
  [if unseen != '' then 'unseen_tasks']: unseen,
  overrides: {
    'validation_dataset_reader.split': env.optional('SPLIT', 'test'),
    [if tasks != '' then 'validation_dataset_reader.task_split']: null,
    [if tasks != '' then 'validation_dataset_reader.task']: std.split(tasks, ' '),
  },
  batch_size: env.integer('BATCH_SIZE', 16),
}
