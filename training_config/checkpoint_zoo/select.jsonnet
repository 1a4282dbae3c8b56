// The K members of a zoo (checkpoints, deltas, experts) that stand for it.
//
// COVARIANCE_PATH  how alike they are: a .npy, or the .npz of a similarity matrix
// NAMES_PATH       the name of each row, one a line (a similarity matrix has them itself)
// SELECTOR         mmi, entropy, hub, random, fixed, top_k_on_task, k_medoids, exhaustive, log_me, h_score (mmi)
// K                so many (5)
// HUB_START        of mmi and entropy: true: the first is the hub (false)
// SEED, ROUND      of random: the seed (0), and which of its draws (0); no two are the same set
// FIXED            of fixed: names with spaces between
// SCORES           of top_k_on_task: a JSON object of each member's result on the task
// FEATURES         of log_me and h_score: a folder of NAME.npy, each the features of a labelled task's rows; or a pattern
//                  of folders of `allennlp embed`: 'DIR/words/CHECKPOINT=*'
// LABELS           of the same: a .npy of those rows' labels, whole numbers if they are classes (the labels.npy of such a
//                  folder)
// PART             of similarities by block or layer: this one, from 0 (their mean)
// NORMALIZE        true: of similarities that are not symmetric, or have other than ones on the diagonal, the mean of both
//                  directions of each pair, divided by the roots of the diagonal (false)
// TOLERANCE        eigenvalues from minus this on are raised, lower ones refused (0.001)
local env = import '../common/env.libsonnet';
local given(name) = env.optional(name, '') != '';
local name = env.optional('SELECTOR', 'mmi');
local flag(name) =
  local value = env.optional(name, 'false');
  if std.member(['true', 'false'], value) then value == 'true' else error '%s is %s; true or false is needed' % [name, value];
local greedy = { hub_start: flag('HUB_START') };
local settings = {
  mmi: greedy,
  entropy: greedy,
  random: { seed: env.integer('SEED', 0), round: env.integer('ROUND', 0) },
  fixed: { names: std.split(env.required('FIXED'), ' ') },
  [if std.member(['log_me', 'h_score'], name) then name]: {
    features: env.required('FEATURES'),
    labels: env.required('LABELS'),
  },
  top_k_on_task: { scores: env.required('SCORES') },
};
{
  covariance: env.required('COVARIANCE_PATH'),
  [if given('NAMES_PATH') then 'names']: env.required('NAMES_PATH'),
  selector: { type: name } + if std.objectHas(settings, name) then settings[name] else {},
  k: env.integer('K', 5),
  [if given('PART') then 'part']: env.integer('PART', 0),
  tolerance: env.number('TOLERANCE', '0.001'),
  normalize: flag('NORMALIZE'),
}
