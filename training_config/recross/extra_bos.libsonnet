// Whether a model's texts begin with <s> <s>: EXTRA_BOS, by default true of the published models.
local env = import '../common/env.libsonnet';
function(model_name)
  env.optional('EXTRA_BOS', std.toString(std.startsWith(model_name, 'yuchenlin/BART0'))) == 'true'
