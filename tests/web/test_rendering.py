"""How values are said, and the environment that says them."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from litestar import Litestar, get
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.testing import TestClient
from page_samples import ASSETS

from app.web.assets import Assets
from app.web.rendering import (
    cap,
    choose_file_icon,
    count,
    create_environment,
    describe_age,
    describe_duration,
    describe_exactly,
    describe_size,
    describe_time_left,
    format_iso,
    keep_printable,
)

NOW = datetime(2026, 11, 22, 6, 37, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-90), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=7), "15 Nov"),
        (timedelta(days=400), "18 Oct 2025"),
    ],
)
def test_age_is_said_as_people_say_it(ago: timedelta, words: str) -> None:
    assert describe_age(NOW - ago, NOW) == words


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=3), "3 days left"),
        (timedelta(hours=2), "2 hours left"),
        (timedelta(hours=1, minutes=59), "119 minutes left"),
        (timedelta(minutes=58, seconds=30), "58 minutes left"),
        (timedelta(minutes=1), "1 minute left"),
        (timedelta(seconds=59), "less than a minute left"),
        (timedelta(0), "time is up"),
        (timedelta(days=-1), "time is up"),
    ],
)
def test_time_left_is_rounded_down(left: timedelta, words: str) -> None:
    assert describe_time_left(NOW + left, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(3600, "60 minutes"), (7200, "2 hours"), (172_800, "2 days")]
)
def test_duration_uses_the_unit_that_fits(seconds: int, words: str) -> None:
    assert describe_duration(seconds) == words


def test_exact_time_is_in_utc_whatever_the_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert describe_exactly(elsewhere) == "Sunday 22 November 2026, 06:37 UTC"
    assert format_iso(elsewhere) == "2026-11-22T06:37:12Z"


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (9949, "9.9 KB"),
        (9951, "10 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (26_214_400, "26 MB"),
        (3_200_000_000, "3.2 GB"),
    ],
)
def test_size_has_two_figures(size_bytes: int, words: str) -> None:
    assert describe_size(size_bytes) == words


@pytest.mark.parametrize(("number", "words"), [(0, ""), (1, "1"), (999, "999"), (1000, "999+")])
def test_count_of_what_is_unread_is_short(number: int, words: str) -> None:
    assert cap(number) == words


def test_count_has_the_right_number() -> None:
    assert [count(n, "message") for n in (0, 1, 2, 1200)] == [
        "0 messages",
        "1 message",
        "2 messages",
        "1,200 messages",
    ]


def test_printable_text_cannot_turn_its_own_direction() -> None:
    assert keep_printable("invoice\u202egpj.exe") == "invoice gpj.exe"


@given(st.text())
def test_printable_text_is_one_line_without_controls(text: str) -> None:
    shown = keep_printable(text)
    assert not any(ord(letter) < 32 or letter in "\u202d\u202e\u2066\u2067" for letter in shown)
    assert keep_printable(shown) == shown


@pytest.mark.parametrize(
    ("content_type", "icon"),
    [
        ("image/png", "file-image"),
        ("TEXT/Calendar", "calendar"),
        ("message/rfc822", "mail"),
        ("application/pdf", "file-text"),
        ("application/zip", "file-archive"),
        ("", "file"),
        ("nonsense", "file"),
    ],
)
def test_file_icon_follows_the_media_type(content_type: str, icon: str) -> None:
    assert choose_file_icon(content_type) == icon


def test_asset_has_another_address_when_its_content_changes(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    file = tmp_path / "vendor" / "a.css"
    file.write_text("one")
    first = Assets.of(tmp_path).url("vendor/a.css")
    file.write_text("two")
    assert first.startswith("/static/vendor/a.css?v=")
    assert Assets.of(tmp_path).url("vendor/a.css") != first


def test_script_has_another_address_when_one_of_its_parts_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    file.write_text("one()")
    first = Assets.of(tmp_path).url("app.js")
    file.write_text("two()")
    assert Assets.of(tmp_path).url("app.js") != first


def test_asset_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        create_environment(FixedClock(), ASSETS).from_string('{{ asset("none.css") }}').render()


def test_variable_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        create_environment(FixedClock(), ASSETS).from_string("{{ nothing }}").render()


def test_value_is_escaped_everywhere() -> None:
    template = create_environment(FixedClock(), ASSETS).from_string("{{ a }}{{ a|printable }}")
    assert "<" not in template.render(a="<b>")


def test_age_carries_the_exact_time() -> None:
    template = create_environment(FixedClock(), ASSETS).from_string("{{ moment|age }}")
    assert template.render(moment=NOW - timedelta(minutes=5)) == (
        '<time data-age datetime="2026-11-22T06:32:12Z"'
        ' title="Sunday 22 November 2026, 06:32 UTC">5 min ago</time>'
    )


def test_form_has_a_csrf_field_only_when_a_handler_gives_the_token() -> None:
    """Litestar itself puts a function named `csrf_token` into every template."""
    form = "{{ csrf_field(csrf_token) }}"

    @get("/")
    async def without() -> Template:
        return Template(template_str=form)

    @get("/with")
    async def with_token() -> Template:
        return Template(template_str=form, context={"csrf_token": 'a"b'})

    engine = JinjaTemplateEngine.from_environment(create_environment(FixedClock(), ASSETS))
    app = Litestar([without, with_token], template_config=TemplateConfig(instance=engine))
    with TestClient(app) as client:
        assert client.get("/").text.strip() == ""
        assert 'name="csrf_token" value="a&#34;b"' in client.get("/with").text
