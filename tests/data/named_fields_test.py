from typing import Callable, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.named_fields import NamedFields
from attribution.data.pool_sources import RowsSource

FIELDS = st.lists(st.sampled_from("abcd"), unique=True)


@given(st.lists(FIELDS), FIELDS)
def test_a_field_that_no_row_has_is_an_error(rows: List[List[str]], fields: List[str]) -> None:
    named = NamedFields("fields", fields)
    for row in rows:
        named.look(dict.fromkeys(row))
    there = {field for row in rows for field in row}
    unseen = {*fields} - there if there else set()
    if not unseen:
        return named.check("here")
    with pytest.raises(ConfigurationError, match=f"here: `fields` names '[{''.join(unseen)}]', which no row"):
        named.check("here")


def test_a_source_of_a_pool(write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    path = write_jsonl("rows.jsonl", [{"input": "a", "target": "b"}, {"input": "c", "target": "d", "topic": "e"}])
    assert len(list(RowsSource(path, keep=["topic"]).rows())) == 2 and not caplog.records
    assert len(list(RowsSource(path, keep=["topc"]).rows())) == 2
    assert "source rows: `keep` names 'topc', which no row has; did you mean \"topic\"?" in caplog.text
    with pytest.raises(ConfigurationError, match="source rows: `fields` names 'topc', which no row has; did you mean"):
        list(RowsSource(path, fields={"topc": "task"}).rows())


def test_a_reader(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"question": "a", "target": "b"}])
    assert len(list(P3JsonlReader("unused", fields={"question": "input"}).examples(path))) == 1
    reader = P3JsonlReader("unused", fields={"question": "input", "anser": "answer_choices"})
    for skip in (False, True):
        with pytest.raises(ConfigurationError, match="rows.jsonl: `fields` names 'anser', which no row has"):
            list(reader.examples(path, skip_bad_rows=skip))
