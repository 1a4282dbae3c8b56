// By a checkpoint's name its settings of the encoder `transformer`: ZOO is such an object in JSON (the published 34), as
// '{"bert": {"model_name": "google-bert/bert-base-cased"}, "rte": {"model_name": "t5-base", "delta": "deltas/rte"}}'
// or "$(cat zoo.json)". `names` has them in their order; CHECKPOINTS, with spaces between, says which (all)
local env = import '../common/env.libsonnet';
local published = import 'published.libsonnet';
local zoo = env.optional('ZOO', 'published');
local all = if zoo == 'published' then { [each[0]]: each[1] for each in published } else std.parseJson(zoo);
local names = if zoo == 'published' then [each[0] for each in published] else std.objectFields(all);
local wanted = env.optional('CHECKPOINTS', '');
{
  names: if wanted == '' then names else std.split(wanted, ' '),
  settings(name):: if std.objectHas(all, name) then all[name]
  else error 'the zoo has no checkpoint %s; there are %s' % [name, std.join(', ', names)],
}
