"""Which attachments a reader is warned of."""

import pytest

from app.mime.file_dangers import Danger, find_danger


@pytest.mark.parametrize(
    "name,content_type,danger",
    [
        ("setup.exe", "application/octet-stream", Danger.PROGRAM),
        ("SETUP.EXE", "application/octet-stream", Danger.PROGRAM),
        ("invoice.pdf.exe", "application/pdf", Danger.PROGRAM),
        ("photo.jpg.lnk", "image/jpeg", Danger.PROGRAM),
        ("run.js", "text/plain", Danger.PROGRAM),
        ("setup.exe ", "application/octet-stream", Danger.PROGRAM),
        ("setup", "application/x-msdownload", Danger.PROGRAM),
        ("setup.pdf", "APPLICATION/X-MSDOWNLOAD", Danger.PROGRAM),
        ("page.html", "application/octet-stream", Danger.WEB_PAGE),
        ("page.shtml", "", Danger.WEB_PAGE),
        ("drawing.svg", "image/svg+xml", Danger.WEB_PAGE),
        ("page", "text/html", Danger.WEB_PAGE),
        ("sheet.xlsm", "", Danger.MACROS),
        ("disk.iso", "", Danger.DISK_IMAGE),
        ("report.pdf", "application/pdf", Danger.NONE),
        ("photo.exe.jpg", "image/jpeg", Danger.NONE),
        ("exe", "application/octet-stream", Danger.NONE),
        ("", "", Danger.NONE),
        ("notes.txt", "text/plain", Danger.NONE),
    ],
)
def test_last_extension_counts_and_then_the_type(
    name: str, content_type: str, danger: Danger
) -> None:
    assert find_danger(name, content_type) == danger
    assert bool(find_danger(name, content_type)) == (danger is not Danger.NONE)
