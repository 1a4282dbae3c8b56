// What DEFT's recipes share: 5 epochs, Adam 5e-5, slanted triangular, element-wise clipping at 1, fp32.
// In a configuration that imports a recipe: prompts ('fixed'; 'faithful' for a task's published prompts and options also
// where they are wrong, as DEFT's few-shot files of WinoGrande and COPA have them).
local env = import '../common/env.libsonnet';
{
  prompts:: 'fixed',
  epochs:: env.integer('EPOCHS', 5),
  cuda_device:: env.cuda_device(),
  model_name:: env.optional('MODEL_NAME', 'google/t5-xl-lm-adapt'),

  vocabulary: { type: 'empty' },
  evaluation: { batch_serializer: { type: 'rows' } },
  trainer: {
    num_epochs: $.epochs,
    patience: $.epochs,
    optimizer: { type: 'adam', lr: 5e-5 },
    learning_rate_scheduler: { type: 'slanted_triangular', cut_frac: 0.1 },
    grad_clipping: 1.0,
    use_amp: false,
    cuda_device: $.cuda_device,
    callbacks: ['tensorboard', 'compare_options'],
    enable_default_callbacks: false,
  },
}
