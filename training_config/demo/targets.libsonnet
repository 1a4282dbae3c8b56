// The demo's targets. To add one: its rows as JSONL in $DEMO_CACHE/targets/NAME/{queries,test}.jsonl, and a block here.
local sentiment = { options: ['negative', 'positive'] };
{
  tweets: sentiment { template: '{{text}}\nQuestion: Is this post negative or positive?\nAnswer:', exclude_tasks: ['tweets'] },
  movie: sentiment {
    template: 'A critic wrote: {{text}}\nQuestion: Does the critic see the film as negative or positive?\nAnswer:',
    exclude_tasks: ['movie'],
  },
  amazon: sentiment {
    template: "Customer review: {{text}}\nQuestion: Was the customer's experience negative or positive?\nAnswer:",
    exclude_tasks: ['amazon'],
  },
  nyt: sentiment {
    template: 'From an editorial: {{text}}\nQuestion: Is the tone of this sentence negative or positive?\nAnswer:',
    exclude_tasks: ['nyt'],
  },
  imdb: sentiment { template: '{{text}}\nQuestion: Is this review of a film negative or positive?\nAnswer:', exclude_tasks: [] },
}
