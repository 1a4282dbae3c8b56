// The rows of a P3 pool but those of the tasks of tasks.libsonnet, for base.jsonnet.
//
// POOL_SOURCE  a JSONL, JSONL.gz or Parquet file of prompted rows, or a folder of such files
local env = import '../common/env.libsonnet';
{
  sources: [{ type: 'rows', path: env.required('POOL_SOURCE') }],
  exclude_tasks: std.objectFields(import 'tasks.libsonnet'),
  max_characters: 2000,
}
