from attribution.data.fields.answer_options_field import AnswerOptionsField
from attribution.data.fields.number_field import NumberField
from attribution.data.fields.token_ids_field import TokenIds, TokenIdsField, pad_token_ids

__all__ = ["AnswerOptionsField", "NumberField", "TokenIds", "TokenIdsField", "pad_token_ids"]
