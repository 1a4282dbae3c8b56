// As many rows, drawn uniformly from the same pool.
local settings = import 'settings.libsonnet';
(import 'retrieve.jsonnet') + { retriever: { type: 'random', seed: settings.seed } }
