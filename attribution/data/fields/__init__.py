from attribution.data.fields.answer_options_field import AnswerOptionsField
from attribution.data.fields.number_field import NumberField
from attribution.data.fields.token_ids_field import TokenIds, TokenIdsField, pad_token_ids
from attribution.data.fields.word_labels_field import UNKNOWN_LABEL, WordLabel, WordLabelsField

__all__ = [
    "AnswerOptionsField",
    "NumberField",
    "TokenIds",
    "TokenIdsField",
    "UNKNOWN_LABEL",
    "WordLabel",
    "WordLabelsField",
    "pad_token_ids",
]
