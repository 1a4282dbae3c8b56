// The readers of DEFT's tasks, which know their data, and which rows of it are queried and which evaluated, as published.
// Of CaseHOLD and DROP a thousand validation rows are queried and the others evaluated; of all other tasks training rows
// are queried, and the validation split is evaluated.
local in_two_parts(name) = std.member(['casehold_reader', 'drop_reader', 'multi_task_drop_reader'], name);
{
  // prompts: 'fixed', or 'faithful' for the published ones also where they are wrong (of DROP there is one form).
  reader(name, model, split, prompts='fixed'):: {
    type: name,
    model_name: model,
    split_name: split,
    use_val_split: in_two_parts(name),
    [if prompts != 'fixed' && !std.endsWith(name, 'drop_reader') then 'prompts']: prompts,
  },
  // What is asked for ('' for the published split).
  queries(name, model, asked, prompts='fixed')::
    local published = if in_two_parts(name) then 'validation' else 'train';
    if in_two_parts(name) && asked == 'test'
    then error 'QUERY_SPLIT is test: those rows of ' + name + ' are evaluated; validation is for queries'
    else self.reader(name, model, if asked == '' then published else asked, prompts),
  // `validation` of a task in two parts is its other part.
  evaluation(name, model, split='validation', prompts='fixed')::
    self.reader(name, model, if in_two_parts(name) && split == 'validation' then 'test' else split, prompts),
}
