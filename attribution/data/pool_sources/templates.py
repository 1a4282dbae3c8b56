"""Raw rows, and the prompts to put them into."""

import random
from itertools import islice
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.common.rows import Row, RowError
from attribution.data.pool_sources.pool_source import PoolRow, PoolSource, Skipped
from attribution.data.prompts import LONGEST, PromptTemplate, read_promptsource, tell_of_unknown

NOT_MEANT = "a template gives no input, no target or an empty choice for the row"

_BY_SIZE = "by_size"
_SIZES = ((5_000, 10), (10_000, 7), (50_000, 5))
"""Up to so many rows so many templates of each: `prompt.py` of ReCross."""


@PoolSource.register("templates")
class TemplatesSource(PoolSource):
    """
    Raw rows of another source, each in every one of the given prompts. A prompt that gives no input or no target for a
    row is not meant for it: it is left out and counted.

    Registered as a `PoolSource` with name "templates".

    # Parameters

    rows : `PoolSource`
        Where the raw rows come from: without `fields`, `layout` and `template`, which are for prompted rows.
    templates : `Union[str, Dict[str, Union[str, Dict[str, str]]]]`
        A promptsource `templates.yaml`, or the prompts themselves: by name a Jinja text with `|||` between input and
        target, or `{ jinja, answer_choices }` in promptsource's format.
    only : `List[str]`, optional
        The names of the templates to use.
    metrics : `List[str]`, optional
        Of a `templates.yaml` use those that name one of these metrics only: `['Accuracy', 'Squad']` are the ones that
        exact match can evaluate (ReCross, Lin et al., 2022, https://arxiv.org/abs/2204.07937).
    per_row : `Union[int, str]`, optional
        Only so many templates of each row, drawn at random among those that are meant for it. `by_size` is ReCross's:
        10 of up to 5,000 rows, 7 of up to 10,000, 5 of up to 50,000, and 1 of more. By default all.
    task : `str`, optional
        The task of all rows; without it, that of `rows`.
    seed : `int`, optional (default = `0`)
        For templates that draw random choices, and for `per_row`.
    longest_text : `int`, optional (default = `1000000`)
        Characters that a template may write for a row; more are an error of that row.
    """

    def __init__(
        self,
        rows: PoolSource,
        templates: Union[str, Dict[str, Union[str, Dict[str, str]]]],
        only: Optional[List[str]] = None,
        metrics: Optional[List[str]] = None,
        per_row: Optional[Union[int, str]] = None,
        task: Optional[str] = None,
        seed: int = 0,
        longest_text: int = LONGEST,
    ) -> None:
        super().__init__(rows.name, task or rows.task or rows.name, None, rows.split, keep=rows.keep)
        said = {"layout": rows.layout, "fields": rows.fields, "template": rows.template}
        for setting, value in said.items():
            if value:
                raise ConfigurationError(
                    f"templates: rows.{setting} is for prompted rows; a template takes rows as they are"
                )
        self._rows = rows
        self._yaml = [Path(templates)] if isinstance(templates, str) else []
        if metrics is not None and not isinstance(templates, str):
            raise ConfigurationError("templates: `metrics` is for a templates.yaml, whose prompts name theirs")
        self._templates = (
            read_promptsource(templates, only, metrics, longest_text)
            if isinstance(templates, str)
            else _configured(templates, only, longest_text)
        )
        if isinstance(per_row, int) and per_row < 1 or isinstance(per_row, str) and per_row != _BY_SIZE:
            raise ConfigurationError(f"templates: per_row is {per_row!r}; a number of at least 1, or {_BY_SIZE!r}")
        self._per_row = per_row
        self._seed = seed
        self._there: Set[str] = set()

    def inputs(self) -> List[Path]:
        return [*self._rows.inputs(), *self._yaml]

    def total(self) -> Optional[int]:
        rows = self._rows.total()
        each = len(self._templates) if self._per_row is None else 1
        return None if rows is None else rows * each

    def read(self) -> Iterator[Union[Row, RowError]]:
        return self._rows.read()

    def rows(self) -> Iterator[Union[PoolRow, Skipped, RowError]]:
        if self._per_row == _BY_SIZE:
            count = sum(1 for _ in Tqdm.tqdm(self.read(), desc=f"counting {self.name}", unit="row"))
            self._per_row = next((each for rows, each in _SIZES if count <= rows), 1)
        yield from super().rows()
        for template in self._templates:
            tell_of_unknown(template.setting, template.fields, self._there)

    def prompts(self, row: Row) -> Iterator[Union[PoolRow, Skipped, RowError]]:
        self._there.update(row.content)
        if self._per_row is None:
            yield from (self._prompted(template, row) for template in self._templates)
            return
        drawn = random.Random(f"{self._seed}|per_row|{row.number}").sample(self._templates, len(self._templates))
        prompted = (self._prompted(template, row) for template in drawn)
        found = list(islice((one for one in prompted if not isinstance(one, Skipped)), int(self._per_row)))
        yield from found
        if not found:
            yield Skipped(NOT_MEANT)

    def _prompted(self, template: PromptTemplate, row: Row) -> Union[PoolRow, Skipped, RowError]:
        try:
            prompt = template.apply(row, self._seed)
            if prompt is None:
                return Skipped(NOT_MEANT)
            return self.pool_row(row, {**prompt._asdict(), "template": template.name})
        except RowError as error:
            return error


def _configured(
    templates: Dict[str, Union[str, Dict[str, str]]], only: Optional[List[str]], longest: int
) -> List[PromptTemplate]:
    unknown = sorted(set(only or ()) - set(templates))
    if unknown or not templates:
        raise ConfigurationError(f"templates: there is no {(unknown or ['template'])[0]!r}, only {sorted(templates)}")
    chosen = []
    for name, text in templates.items():
        settings = {"jinja": text} if isinstance(text, str) else text
        if not {"jinja"} <= settings.keys() <= {"jinja", "answer_choices"}:
            raise ConfigurationError(f"templates: {name} needs `jinja` and may have `answer_choices`, nothing else")
        if only is None or name in only:
            chosen.append(PromptTemplate(name, **settings, longest=longest))
    return chosen
