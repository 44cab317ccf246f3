"""Charts as the server draws them: numbers become shapes here, templates only write them down.

The shapes stretch with the page, so all words stand beside them in HTML; the table behind a chart
has every number for those who read. `templates/_chart.html` shows one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

# In units of the drawing: a column with the gap beside it, and the whole height.
COLUMN, GAP, HEIGHT = 10, 2, 100


@dataclass(frozen=True, slots=True)
class Series:
    """What is counted: its name, and a colour of the labels (`red`, `amber`, `green`, `blue`,
    `violet`, `grey`)."""

    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Column:
    """One step along the axis: its name in words, and a number for each series."""

    name: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a column, with its number in words."""

    x: int
    y: float
    width: int
    height: float
    colour: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked columns. `top` is the number that the height stands for; `totals` go with `series`,
    of which those that never happened are left out, here and in the `columns`."""

    width: int
    top: int
    bars: Sequence[Bar]
    series: Sequence[Series]
    totals: Sequence[int]
    columns: Sequence[Column]


def draw_columns(series: Sequence[Series], columns: Sequence[Column]) -> Chart:
    """The columns side by side, the first series at the bottom of each."""
    totals = [sum(column.values[n] for column in columns) for n in range(len(series))]
    shown = [n for n, total in enumerate(totals) if total]
    top = round_up(max((sum(column.values) for column in columns), default=0))
    bars = []
    for place, column in enumerate(columns):
        y = float(HEIGHT)
        for n in shown:
            if value := column.values[n]:
                height = value / top * HEIGHT
                y -= height
                words = f"{column.name}: {value:,} {series[n].name}"
                x, width = place * COLUMN + GAP // 2, COLUMN - GAP
                bars.append(Bar(x, round(y, 2), width, round(height, 2), series[n].colour, words))
    return Chart(
        len(columns) * COLUMN,
        top,
        bars,
        [series[n] for n in shown],
        [totals[n] for n in shown],
        [Column(column.name, [column.values[n] for n in shown]) for column in columns],
    )


def round_up(number: int) -> int:
    """To a number that is easy to read: 1, 2, 4, 5, 6, 8 or 10, 20, 40 and so on."""
    if number <= 1:
        return 1
    unit: int = 10 ** floor(log10(number))
    return next(each * unit for each in (1, 2, 4, 5, 6, 8, 10) if each * unit >= number)
