// Tasks of a P3 pool with one wording each: those with few answers, and questions whose answer is in the prompt.
{
  // Reviews: how good?
  rotten_tomatoes: { template: 'Movie Expressed Sentiment 2', group: 'sentiment' },
  amazon_polarity: { template: 'Is_this_review', group: 'sentiment' },
  yelp_review_full: { template: 'this_place', group: 'sentiment' },
  app_reviews: { template: 'convert_to_rating', group: 'sentiment' },
  // Do two texts say the same?
  'glue-qqp': { template: 'meaning', group: 'paraphrase' },
  'glue-mrpc': { template: 'same thing', group: 'paraphrase' },
  'paws_x-en': { template: 'Concatenation', group: 'paraphrase' },
  // What is it about?
  ag_news: { template: 'which_section_choices', group: 'topic' },
  dbpedia_14: { template: 'given_a_list_of_category_what_does_the_title_belong_to', group: 'topic' },
  // A question with choices or a text
  sciq: { template: 'Multiple Choice (Closed Book)', group: 'questions' },
  qasc: { template: 'qa_with_combined_facts_1', group: 'questions' },
  quartz: { template: 'answer_question_below', group: 'questions' },
  social_i_qa: { template: 'Show choices and generate answer', group: 'questions' },
  'cos_e-v1.11': { template: 'question_option_description_text', group: 'questions' },
  // What follows from a text?
  wiqa: { template: 'effect_with_string_answer', group: 'inference' },
  wiki_qa: { template: 'Decide_good_answer', group: 'inference' },
}
