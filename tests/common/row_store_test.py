from pathlib import Path

from attribution.common.row_store import RowStore, StoredRow


def test_rows_in_any_order(tmp_path: Path) -> None:
    rows = [StoredRow(b'{"a": "%d\\t"}' % number, f"a file\twith a tab.jsonl:{number}") for number in range(50)]
    with RowStore(tmp_path) as store:
        for row in rows:
            store.append(row)
        store.finish()
        assert len(store) == 50
        assert [store[number] for number in (49, 0, 17, 0)] == [rows[49], rows[0], rows[17], rows[0]]


def test_nothing_with_a_name_is_on_the_disk(tmp_path: Path) -> None:
    with RowStore(tmp_path) as store:
        store.append(StoredRow(b"{}", "here:1"))
        store.finish()
        assert list(tmp_path.iterdir()) == []
