// The 200 pool rows that most of the target's unlabelled inputs find among their 20 nearest.
local settings = import 'settings.libsonnet';
{
  seed: settings.seed,
  pool: { path: settings.pool, exclude_tasks: settings.exclude_tasks },
  queries: { path: settings.folder + '/queries.jsonl', reader: settings.reader },
  retriever: {
    type: 'exact',
    encoder: { type: 'transformer', model_name: settings.encoder, max_length: 64, normalize: true },
  },
  neighbours: 20,
  aggregator: { type: 'frequency', size: 200 },
}
