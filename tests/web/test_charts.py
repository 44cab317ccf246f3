"""Charts: the shapes say what the numbers say."""

from hypothesis import given
from hypothesis import strategies as st

from app.web.charts import HEIGHT, Column, Series, draw_columns, round_up

SERIES = [Series("Mail", "blue"), Series("Refused", "red"), Series("Stored", "grey")]
COLUMNS = st.lists(
    st.lists(st.integers(0, 10**9), min_size=3, max_size=3).map(lambda v: Column("now", v)),
    min_size=1,
    max_size=60,
)


@given(COLUMNS)
def test_bars_stand_on_one_another_and_are_as_high_as_their_numbers(
    columns: list[Column],
) -> None:
    chart = draw_columns(SERIES, columns)
    for place, column in enumerate(columns):
        bars = [bar for bar in chart.bars if bar.x // 10 == place]
        assert len(bars) == sum(value > 0 for value in column.values)
        assert all(0 <= bar.x < chart.width for bar in bars)
        floor = float(HEIGHT)
        for bar, value in zip(bars, filter(None, column.values), strict=True):
            assert abs(bar.height - value / chart.top * HEIGHT) <= 0.01
            assert abs(bar.y + bar.height - floor) <= 0.05
            floor = bar.y
        assert floor >= -0.05


@given(COLUMNS)
def test_series_that_never_happened_are_left_out(columns: list[Column]) -> None:
    chart = draw_columns(SERIES, columns)
    assert all(chart.totals)
    assert [series.name for series in chart.series] == [
        series.name
        for n, series in enumerate(SERIES)
        if any(column.values[n] for column in columns)
    ]
    assert sum(map(sum, (column.values for column in chart.columns))) == sum(
        sum(column.values) for column in columns
    )


def test_scale_is_easy_to_read() -> None:
    assert [round_up(n) for n in (0, 1, 3, 7, 10, 11, 99, 101, 700)] == (
        [1, 1, 4, 8, 10, 20, 100, 200, 800]
    )


@given(st.integers(1, 10**12))
def test_scale_is_high_enough_and_not_much_higher(number: int) -> None:
    assert number <= round_up(number) <= max(2 * number, 1)
