// All weights of a model, or a delta of one, on one task of a few-shot gym (Ye et al., 2022: AdamW, linear decay, 10% warm-up, norm clipped
// at 0.1). The best development score counts.
//
// GYM, TASK      a few-shot gym's folder and the task in it
// MODEL_NAME     a BART or T5;  SQUEEZED  a mixture that was squeezed, to start from (none)
// EXPERT         what SQUEEZED was a mixture of: layer, feed_forward, and all weights are tuned; lora, adapter: a delta
//                of MODEL_NAME, which alone is tuned (layer)
// SHOTS, SHOT_SEED  which of the gym's files, where there are several
// INPUT_PREFIX   of inputs (' [{task}] ');  ANSWER_PREFIX  '<extra_id_0>' for T5 (a space, for BART)
// MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  in tokens (512 and 64);  BEAMS  of what is generated (4)
// METRIC         fewshot_gym: what the model writes, by the task's own metric; accuracy, macro_f1: how the answers of the
//                task's training rows rank (fewshot_gym)
// TASK_METRICS   a JSON of tasks and metrics (data/few_shot_gym.json)
// UPDATES        (1000);  VALIDATE_EVERY  so many updates, a divisor of UPDATES (100)
// LEARNING_RATE, BATCH_SIZE  published are the best of 0.00001, 0.00002, 0.00005 and of 2, 4, 8 (0.00002 and 8)
// SEED, CUDA_DEVICE (42, a GPU where there is one)
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local small = std.member(['lora', 'adapter'], env.optional('EXPERT', 'layer'));
local model_name = env.required(if given('SQUEEZED') && !small then 'SQUEEZED' else 'MODEL_NAME');
local metric = env.optional('METRIC', 'fewshot_gym');
local writes = metric == 'fewshot_gym';
local seed = env.integer('SEED', 42);
local updates = env.integer('UPDATES', 1000);
local every = env.integer('VALIDATE_EVERY', 100);
local reader(split) = {
  type: 'fewshot_gym',
  model_name: model_name,
  task: env.required('TASK'),
  split: split,
  input_prefix: env.optional('INPUT_PREFIX', ' [{task}] '),
  answer_prefix: env.optional('ANSWER_PREFIX', ' '),
  max_query_length: env.integer('MAX_QUERY_LENGTH', 512),
  max_answer_length: env.integer('MAX_ANSWER_LENGTH', 64),
  [if given('SHOTS') then 'shots']: std.parseInt(env.required('SHOTS')),
  [if given('SHOT_SEED') then 'seeds']: [std.parseInt(env.required('SHOT_SEED'))],
  [if !writes then 'options']: 'task',
};
assert every > 0 && updates % every == 0 : 'UPDATES is %d; VALIDATE_EVERY, %d, must divide it' % [updates, every];
{
  random_seed: seed,
  numpy_seed: seed,
  pytorch_seed: seed,
  dataset_reader: reader('train') + { answer: 'random' },
  validation_dataset_reader: reader('dev'),
  train_data_path: env.required('GYM'),
  validation_data_path: env.required('GYM'),
  vocabulary: { type: 'empty' },
  model: {
    type: 'seq2seq',
    model_name: model_name,
    [if small then 'delta']: { type: 'folder', weights: env.required('SQUEEZED') },
    loss: 'sum',
    label_smoothing: 0.1,
    [if writes then 'generation']: { num_beams: env.integer('BEAMS', 4), max_new_tokens: 64 },
    [if writes then 'metrics']: [{ type: 'fewshot_gym', task_metrics: env.optional('TASK_METRICS', env.beside(std.thisFile, '../../data/few_shot_gym.json')) }],
  },
  data_loader: { batch_size: env.integer('BATCH_SIZE', 8), shuffle: true, batches_per_epoch: every },
  validation_data_loader: { batch_size: 16 },
  evaluation: { batch_serializer: { type: 'rows' } },
  trainer: {
    num_epochs: updates / every,
    validation_metric: '+' + metric,
    optimizer: {
      type: 'huggingface_adamw',
      lr: env.number('LEARNING_RATE', '0.00002'),
      weight_decay: 0.01,
      eps: 1e-8,
    },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: std.floor(0.1 * updates) },
    grad_norm: 0.1,
    cuda_device: env.cuda_device(),
    enable_default_callbacks: false,
    checkpointer: { keep_most_recent_by_count: 1 },
  },
}
