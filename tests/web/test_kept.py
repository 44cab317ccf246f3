"""Parts are kept as they were drawn, and drawn anew when anything of them has changed."""

from datetime import timedelta
from itertools import product

from msgspec import structs
from page_samples import NOW, FixedClock, make_hostile_row, make_row

from app.inbox.listing import LabelView
from app.inbox.view import View
from app.web.assets import STATIC_FOLDER, Assets
from app.web.rendering import create_environment


class Clock(FixedClock):
    moved = timedelta()

    def now(self):  # type: ignore[no-untyped-def]
        return NOW + self.moved


def drawing(clock: Clock):  # type: ignore[no-untyped-def]
    environment = create_environment(clock, Assets.of(STATIC_FOLDER))
    fresh = environment.get_template("messages/_row.html")
    kept = environment.globals["draw_rows"]
    return kept, lambda rows, base_url, view, may_write: fresh.render(
        rows=rows, base_url=base_url, view=view, may_write=may_write
    )


def test_kept_rows_are_what_the_template_draws_whatever_changed() -> None:
    clock = Clock()
    kept, fresh = drawing(clock)
    row = make_row()
    variants = [
        row,
        structs.replace(row, is_read=True),
        structs.replace(row, is_starred=True),
        structs.replace(row, subject="Another"),
        structs.replace(row, labels=(LabelView(row.id, "Bills", "red"),)),
        make_hostile_row(),
        structs.replace(row, received_at=row.received_at - timedelta(days=400)),
    ]
    for _ in range(2):
        for base_url, view in (("/inbox", View(folder="inbox")), ("/t/x", None)):
            for one, may_write in product(variants, (True, False)):
                drawn = kept([one], base_url, view, may_write)
                assert drawn == fresh([one], base_url, view, may_write)
        assert kept(variants, "/inbox", View(), True) == fresh(variants, "/inbox", View(), True)


def test_row_grows_older_while_it_is_kept() -> None:
    clock = Clock()
    kept, fresh = drawing(clock)
    row = make_row()
    before = kept([row], "/inbox", None, True)
    clock.moved = timedelta(minutes=1)
    assert kept([row], "/inbox", None, True) == fresh([row], "/inbox", None, True) != before
