// What both stages share: data, experts, and the published optimisation (AdamW with a rate for experts, router and task
// vectors each, 6% warm-up, linear decay, norm clipped at 0.1, label smoothing 0.1 summed over tokens).
//
// GYM            the folder of a few-shot gym, with the tasks to train on
// TASK_SPLIT     a JSON file of task lists, of which `train` is used (all tasks of GYM)
// MODEL_NAME     a BART or T5 (facebook/bart-base)
// INPUT_PREFIX   of inputs (' [{task}] ')
// ANSWER_PREFIX  '<extra_id_0>' for T5 (a space, for BART)
// MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  in tokens (512 and 64)
// SHOTS, SEEDS   which files, where there are several: a number, and '13 42'
// DEV_SEEDS      those of the development rows (SEEDS)
// EXPERT         layer, feed_forward, lora, adapter (layer)
// EXPERTS        experts a layer (3)
// ROUTER         linear, rnn, lstm, gru, transformer (linear)
// LAYER_SPECIFIC whether each layer has its own weights there (true)
// TASK_METRICS   a JSON file from tasks to metrics: then 'fewshot_gym' is the mean score of the tasks, and what selects
//                the best weights. Without it that is the loss.
// BEAMS          of what is generated for these (4)
// ONE_TASK       whether batches are of one task each (false)
// UPDATES        of the whole training; 0: an archive of what it would start with
// EVERY          updates between evaluations
// BATCH_SIZE, ACCUMULATION (16, 2)
// LR             of experts and shared weights (0.00001); ROUTER_LR, TASK_LR
// CUDA_DEVICE    (a GPU where there is one)
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local model_name = env.optional('MODEL_NAME', 'facebook/bart-base');
local accumulation = env.integer('ACCUMULATION', 2);
local batch_size = env.integer('BATCH_SIZE', 16);
local reader(split, seeds) = {
  type: 'fewshot_gym',
  model_name: model_name,
  split: split,
  input_prefix: env.optional('INPUT_PREFIX', ' [{task}] '),
  answer_prefix: env.optional('ANSWER_PREFIX', ' '),
  max_query_length: env.integer('MAX_QUERY_LENGTH', 512),
  max_answer_length: env.integer('MAX_ANSWER_LENGTH', 64),
  [if given('TASK_SPLIT') then 'task_split']: env.required('TASK_SPLIT'),
  [if given('SHOTS') then 'shots']: std.parseInt(env.required('SHOTS')),
  [if seeds != '' then 'seeds']: std.map(std.parseInt, std.split(seeds, ' ')),
};
local seeds = env.optional('SEEDS', '');
{
  updates:: error 'a stage says how many',
  every:: error 'a stage says how often it evaluates',
  number:: env.number,
  router:: {
    type: env.optional('ROUTER', 'linear'),
    layer_specific: env.optional('LAYER_SPECIFIC', 'true') == 'true',
  },

  dataset_reader: reader('train', seeds) + { answer: 'random' },
  validation_dataset_reader: reader('dev', env.optional('DEV_SEEDS', seeds)),
  train_data_path: env.required('GYM'),
  validation_data_path: env.required('GYM'),
  vocabulary: { type: 'empty' },
  model: {
    type: 'task_moe_seq2seq',
    model_name: model_name,
    experts: { type: env.optional('EXPERT', 'layer'), count: env.integer('EXPERTS', 3) },
    loss: 'sum',
    label_smoothing: 0.1,
    [if given('TASK_METRICS') then 'generation']: { num_beams: env.integer('BEAMS', 4), max_new_tokens: 64 },
    [if given('TASK_METRICS') then 'metrics']: [
      { type: 'fewshot_gym', task_metrics: env.required('TASK_METRICS') },
    ],
  },
  data_loader: {
    batches_per_epoch: $.every * accumulation,
  } + if env.optional('ONE_TASK', 'false') == 'true' then {
    batch_sampler: { type: 'one_task', batch_size: batch_size },
  } else { batch_size: batch_size, shuffle: true },
  validation_data_loader: { batch_size: batch_size },
  evaluation: { batch_serializer: { type: 'rows' } },
  trainer: if $.updates == 0 then { type: 'no_op' } else {
    num_epochs: std.ceil($.updates / $.every),
    num_gradient_accumulation_steps: accumulation,
    validation_metric: if given('TASK_METRICS') then '+fewshot_gym' else '-loss',
    optimizer: {
      type: 'huggingface_adamw',
      lr: $.number('LR', '0.00001'),
      weight_decay: 0.01,
      eps: 1e-8,
      parameter_groups: [],
    },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: std.floor(0.06 * $.updates) },
    grad_norm: 0.1,
    cuda_device: env.cuda_device(),
    callbacks: ['update_routing', 'tensorboard'],
    enable_default_callbacks: false,
    checkpointer: { keep_most_recent_by_count: 1 },
  },
}
