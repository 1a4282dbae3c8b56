// How rows are written for a model: one form for sources and targets.
//
// INPUT_PREFIX      what inputs begin with; {task} in it is the task's name ('[{task}] ', as published)
// ANSWER_PREFIX     what answers begin with (as published '<extra_id_0>', where the tokenizer has that token, as T5's;
//                   otherwise nothing)
// MAX_QUERY_LENGTH, MAX_ANSWER_LENGTH  in tokens (512 and 64)
local env = import 'env.libsonnet';
{
  input_prefix: env.optional('INPUT_PREFIX', '[{task}] '),
  answer_prefix: env.optional('ANSWER_PREFIX', null),
  max_query_length: env.integer('MAX_QUERY_LENGTH', 512),
  max_answer_length: env.integer('MAX_ANSWER_LENGTH', 64),
}
