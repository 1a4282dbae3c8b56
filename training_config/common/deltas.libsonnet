// Published deltas: blocks for a model's `delta`.
{
  // Lv et al. (2023): 1,105,920 parameters each on T5-v1.1-base.
  adapter: { type: 'houlsby', size: 12, initialisation: 'normal' },
  lora: { type: 'lora', r: 10, alpha: 16, target_modules: ['q', 'v'], initialisation: 'published' },
  prefix: { type: 'prefix', num_virtual_tokens: 120, hidden_size: 24, encoder: true },
  // The same, laid out as by the published program.
  legacy_prefix: self.prefix { legacy_layout: true },
  // Liu et al. (2022) and DEFT: 540,672 on T5-v1.1-XL.
  ia3: { type: 'ia3', target_modules: ['k', 'v', 'wi_1'] },
}
