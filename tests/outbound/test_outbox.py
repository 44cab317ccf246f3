"""The folder of mails that were not sent."""

from pathlib import Path
from uuid import uuid4

import pytest

from app.core.errors import NotFound
from app.core.ids import Ids
from app.outbound.outbox import KEPT, Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "data" / "outbox", Ids())


def test_newest_mails_stay_in_their_order(outbox: Outbox) -> None:
    put = [outbox.put(b"%d" % number) for number in range(KEPT + 5)]
    items = outbox.list_newest()
    assert [item.id for item in items] == put[:4:-1]
    assert items[0].raw == b"%d" % (KEPT + 4)
    with pytest.raises(NotFound):
        outbox.find(put[0])
    assert outbox.find(put[5]).raw == b"5"


def test_nobody_else_may_read_it(outbox: Outbox) -> None:
    outbox.put(b"secret")
    (file,) = outbox.folder.iterdir()
    assert outbox.folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_outbox_is_empty_when_nothing_was_ever_put(outbox: Outbox) -> None:
    assert outbox.list_newest() == []
    with pytest.raises(NotFound):
        outbox.find(uuid4())


def test_stray_file_does_no_harm(outbox: Outbox) -> None:
    outbox.put(b"mail")
    (outbox.folder / "notes.eml").write_text("not ours")
    (outbox.folder / f"{uuid4()}.part").write_text("half")
    assert [item.raw for item in outbox.list_newest()] == [b"mail"]
