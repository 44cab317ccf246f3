"""A message as its reader opens it: its views, its pictures, its files, and what lies beside it."""

import asyncio
import html
import io
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from application import serving
from mailroom import PREFIX, Mailroom
from selectolax.lexbor import LexborHTMLParser

from app.core.errors import NotFound
from app.inbox.listing import Access
from app.inbox.signed_links import PictureLink, SelectionLink
from app.main import web_application
from app.settings import Networks, Settings
from app.storage.blobs.keys import raw_key
from app.web.pages.messages import MAX_INCLUDED_CHARS, MAX_PICTURE_URL_CHARS, MAX_PICTURES

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
GIF = b"GIF89a" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 20


@dataclass
class Reader:
    """A browser of somebody who is signed in, and the mail that there is."""

    client: httpx.AsyncClient
    mailroom: Mailroom

    async def deliver(self, data: bytes, *recipients: str) -> str:
        """The address of the delivered message's page."""
        before = {row.id for row in await self.mailroom.rows()}
        await self.mailroom.spool(data, *recipients)
        await self.mailroom.take_in()
        (row,) = [row for row in await self.mailroom.rows() if row.id not in before]
        return f"/inbox/m/{row.id}"

    async def open(self, path: str, **headers: str) -> LexborHTMLParser:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return LexborHTMLParser(answer.text)

    async def frame(self, path: str) -> LexborHTMLParser:
        """The document inside the frame of a page."""
        return LexborHTMLParser((await self.open(path)).css_first("iframe").attributes["srcdoc"])

    async def token(self) -> str:
        page = await self.open("/inbox")
        return page.css_first("[name=csrf_token]").attributes["value"] or ""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, egress_allow=Networks.parse("127.0.0.0/8"))


@pytest.fixture
async def reader(mailroom: Mailroom) -> AsyncIterator[Reader]:
    services = mailroom.services
    user = await services.users.add("a@example.test", mailroom.mailbox.tenant_id, "agent")
    link = await services.sign_in.create_link(user.id)
    async with serving(web_application(services)) as client:
        assert (await client.post(f"/sign-in/{link}")).status_code == 303
        yield Reader(client, mailroom)


def mail(body: str = "<p>Hi</p>", subject: str = "s", kind: str = "html") -> bytes:
    head = f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\nMessage-ID: <{uuid4()}@x>\r\n"
    head += f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n"
    return (head + body).encode()


# One request


async def test_html_comes_with_its_page_under_a_policy_of_its_own(reader: Reader) -> None:
    path = await reader.deliver(mail('<p style="color:red" onclick=x>Hi "you" &amp; me</p>'))
    page = await reader.open(path)
    frame = page.css_first("iframe")
    assert frame.attributes["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert "src" not in frame.attributes
    document = LexborHTMLParser(frame.attributes["srcdoc"] or "")
    assert document.css_first("p").text() == 'Hi "you" & me'
    assert document.css_first("p").attributes == {"style": "color:red"}
    policy = document.css_first("meta[http-equiv]").attributes["content"]
    assert policy == "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


async def test_htmx_is_sent_what_the_page_shows_and_its_title(reader: Reader) -> None:
    path = await reader.deliver(mail(subject="A subject"))
    part = (await reader.client.get(path, headers={"hx-request": "true"})).text
    assert part.strip().startswith("<title>A subject · Pillarbox</title>")
    assert "<html" not in part.partition("srcdoc")[0]
    shown = (await reader.open(path)).css_first("article").html
    assert LexborHTMLParser(part).css_first("article").html == shown


async def test_long_html_is_a_document_of_its_own(reader: Reader) -> None:
    body = "<p>x</p>" * (MAX_INCLUDED_CHARS // 8 + 1)
    path = await reader.deliver(mail(f"{body}<img src=//t.example/a.png>"))
    page = await reader.open(path)
    assert page.css_first("iframe").attributes["src"] == f"{path}/body"
    assert "Pictures on other servers" in page.css_first(".notice").text()
    answer = await reader.client.get(f"{path}/body")
    assert "sandbox allow-popups" in answer.headers["content-security-policy"]
    assert len(LexborHTMLParser(answer.text).css("p")) == MAX_INCLUDED_CHARS // 8 + 1
    assert "t.example" not in answer.text
    page = await reader.open(f"{path}?pictures=1")
    assert page.css_first("iframe").attributes["src"] == f"{path}/body?pictures=1"
    assert "/picture/" in (await reader.client.get(f"{path}/body?pictures=1")).text


async def test_message_is_read_once_it_was_opened(reader: Reader) -> None:
    path = await reader.deliver(mail())
    assert not (await reader.mailroom.rows())[0].is_read
    for view in ("", "?view=print"):
        await reader.open(path + view)
        (row,) = await reader.mailroom.rows()
        assert row.is_read
    told = await reader.mailroom.events("message.updated")
    assert [event.data for event in told] == [{"is_read": True}]


# Views


async def test_text_folds_what_was_quoted_and_links_what_is_an_address(reader: Reader) -> None:
    text = "See https://x.example/?a=<b>.\r\n\r\nOn 5 May 2025, Ada wrote:\r\n> <b>Tea?</b>\r\n"
    page = await reader.open(await reader.deliver(mail(text, kind="plain")))
    written, quoted = page.css("pre.text")
    link = written.css_first("a")
    assert link.attributes["href"] == "https://x.example/?a="
    assert link.attributes["rel"] == "noopener noreferrer nofollow"
    assert "Tea" not in written.text()
    assert "> <b>Tea?</b>" in quoted.text()
    assert page.css_first(".folded > summary").text() == "Quoted text"
    assert not page.css("pre b")


async def test_html_folds_what_was_quoted(reader: Reader) -> None:
    path = await reader.deliver(mail("<p>Yes</p><blockquote>Tea?</blockquote>"))
    document = await reader.frame(path)
    assert document.css_first("details blockquote").text() == "Tea?"
    assert "open" not in document.css_first("details").attributes


async def test_headers_are_listed_and_shown_as_they_came(reader: Reader) -> None:
    path = await reader.deliver(mail(subject="=?utf-8?q?Caf=C3=A9_=3Cb=3E?="))
    page = await reader.open(f"{path}?view=headers")
    values = {row.css_first("th").text(): row.css_first("td").text() for row in page.css("tr")}
    assert values["Subject"] == "Café <b>"
    assert "Subject: =?utf-8?q?Caf=C3=A9_=3Cb=3E?=" in page.css_first(".folded pre").text()


async def test_printed_message_is_whole_and_may_run_nothing(reader: Reader) -> None:
    body = "<p>Yes</p><script>x</script><blockquote>Tea?</blockquote><img src=//t.example/a.png>"
    path = await reader.deliver(mail(body, subject="<b>Tea</b>"))
    answer = await reader.client.get(f"{path}?view=print")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    page = LexborHTMLParser(answer.text)
    assert page.css_first("h1").text() == "<b>Tea</b>"
    assert "ada@example.org" in page.css_first("dl").text()
    assert page.css_first("blockquote").text() == "Tea?"
    assert not page.css("script, details")
    assert "t.example" not in answer.text
    assert "/picture/" in (await reader.client.get(f"{path}?view=print&pictures=1")).text
    plain = await reader.deliver(mail("<b>&amp;", kind="plain"))
    page = await reader.open(f"{plain}?view=print")
    assert page.css_first("pre").text().strip() == "<b>&amp;"


# Files


async def test_attachment_that_may_do_harm_is_marked(reader: Reader) -> None:
    message = EmailMessage()
    message["Subject"] = "Files"
    message.set_content("Here")
    for name in ("photo.png", "invoice.pdf.exe", "page.HTML", "sheet.xlsm", "\u202egpj.scr"):
        message.add_attachment(b"x", "application", "octet-stream", filename=name)
    message.add_attachment(b"<p>", "text", "html", filename="notes")
    path = await reader.deliver(message.as_bytes().replace(b"\n", b"\r\n"))
    items = (await reader.open(path)).css(".attachments li")
    words = [item.css_first(".careful") for item in items]
    assert [word and word.text() for word in words] == [
        None,
        "Careful: a program",
        "Careful: a web page",
        "Careful: may hold macros",
        "Careful: a program",
        "Careful: a web page",
    ]
    for item in items:
        answer = await reader.client.get(item.css_first("a").attributes["href"] or "")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.content == b"x" or answer.content.startswith(b"<p>")


async def test_picture_inside_the_message_is_shown_and_not_listed(reader: Reader) -> None:
    message = EmailMessage()
    message["Subject"] = "Inline"
    message.set_content("<img src='cid:a@b'>", subtype="html")
    message.add_related(PNG, "image", "png", cid="<a@b>", filename="a.png")
    path = await reader.deliver(message.as_bytes().replace(b"\n", b"\r\n"))
    page = await reader.open(path)
    assert not page.css(".attachments")
    assert (await reader.open(f"{path}?view=text")).css(".attachments")
    link = (await reader.frame(path)).css_first("img").attributes["src"] or ""
    answer = await reader.client.get(link)
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")


# Pictures on the web


@dataclass
class PictureHost:
    """Answers every request alike and keeps what it was sent."""

    answer: bytes
    url: str = ""
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def hosting(content: bytes, kind: str = "image/png", status: str = "200 OK", **more: str):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in more.items())
    host = PictureHost(f"{head}\r\n".encode() + content)
    server = await asyncio.start_server(host.serve, "127.0.0.1")
    async with server:
        host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.png?who=reader&b=c"
        yield host


def picture_paths(document: LexborHTMLParser) -> Sequence[str]:
    return [node.attributes.get("src") or "" for node in document.css("img")]


async def test_remote_pictures_are_shown_only_when_asked_for_and_through_us(
    reader: Reader,
) -> None:
    async with hosting(PNG) as host:
        path = await reader.deliver(mail(f'<img src="{html.escape(host.url)}" alt=x>'))
        page = await reader.open(path)
        notice = page.css_first(".notice")
        assert "1 picture on other servers" in notice.text()
        assert picture_paths(await reader.frame(path)) == [""]
        more = notice.css_first("a")
        assert more.attributes["href"] == more.attributes["hx-get"] == f"{path}?pictures=1"
        (picture,) = picture_paths(await reader.frame(f"{path}?pictures=1"))
        assert picture.startswith("/picture/")
        assert host.requests == []
        answer = await reader.client.get(
            picture, headers={"referer": "http://pillarbox.test/", "user-agent": "Reader/1.0"}
        )
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert "sandbox" in answer.headers["content-security-policy"]
    (request,) = host.requests
    assert request.startswith(b"GET /a.png?who=reader&b=c HTTP/1.1\r\n")
    names = {line.partition(b":")[0] for line in request.split(b"\r\n")[1:] if line}
    assert names == {b"host", b"user-agent", b"accept-encoding", b"connection", b"accept"}
    assert b"Reader" not in request


async def fetch(reader: Reader, url: str) -> httpx.Response:
    links = reader.mailroom.services.links
    return await reader.client.get(links.sign_picture(PictureLink(url)))


@pytest.mark.parametrize(
    "content,said,kind",
    [
        (PNG, "image/png", "image/png"),
        (GIF, "image/gif", "image/gif"),
        (JPEG, "IMAGE/JPEG; q=1", "image/jpeg"),
        (JPEG, "image/jpg", "image/jpeg"),
        (WEBP, "image/webp", "image/webp"),
        (JPEG, "image/png", "image/jpeg"),
    ],
)
async def test_picture_is_served_as_what_it_is(
    reader: Reader, content: bytes, said: str, kind: str
) -> None:
    async with hosting(content, said) as host:
        answer = await fetch(reader, host.url)
    assert (answer.content, answer.headers["content-type"]) == (content, kind)


@pytest.mark.parametrize(
    "content,said,status",
    [
        (b"<svg onload=alert(1)>", "image/svg+xml", "200 OK"),
        (b"<svg onload=alert(1)>", "image/png", "200 OK"),
        (b"<!doctype html><script>", "image/gif", "200 OK"),
        (PNG, "text/html", "200 OK"),
        (PNG, "", "200 OK"),
        (PNG, "image/svg+xml", "200 OK"),
        (PNG, "image/png", "404 Not Found"),
        (PNG, "image/png", "206 Partial Content"),
        (PNG + b"\0" * 5 * 1024 * 1024, "image/png", "200 OK"),
        (b"", "image/png", "200 OK"),
        (b"RIFF\0\0\0\0WAVE", "image/webp", "200 OK"),
        (b"BM", "image/bmp", "200 OK"),
    ],
)
async def test_empty_picture_is_served_when_there_is_none_to_show(
    reader: Reader, content: bytes, said: str, status: str
) -> None:
    async with hosting(content, said, status) as host:
        answer = await fetch(reader, host.url)
    assert len(host.requests) == 1
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert len(answer.content) < 60


async def test_redirect_of_a_picture_leads_nowhere(reader: Reader) -> None:
    async with hosting(PNG) as other, hosting(b"", status="302 Found", Location=other.url) as host:
        answer = await fetch(reader, host.url)
    assert "location" not in answer.headers
    assert len(answer.content) < 60
    assert other.requests == []


async def test_picture_of_a_private_host_is_not_fetched(reader: Reader) -> None:
    for url in ("http://10.0.0.1/a.png", "http://[::1]/a.png", "ftp://x/a.png", "http://x:25/"):
        assert len((await fetch(reader, url)).content) < 60


async def test_picture_link_is_dead_when_it_was_changed_or_ten_minutes_are_over(
    reader: Reader, clock: Any
) -> None:
    link = reader.mailroom.services.links.sign_picture(PictureLink("http://10.0.0.1/a.png"))
    assert (await reader.client.get(link)).status_code == 200
    for other in (f"{link}x", "/picture/x", link.replace("/picture/", "/image/")):
        assert (await reader.client.get(other)).status_code == 404
    clock.moved_seconds = 602
    assert (await reader.client.get(link)).status_code == 404


async def test_picture_with_an_address_too_long_for_a_link_is_left_out(reader: Reader) -> None:
    url = "https://t.example/" + "a" * MAX_PICTURE_URL_CHARS
    path = await reader.deliver(mail(f"<img src={url}>"))
    assert picture_paths(await reader.frame(f"{path}?pictures=1")) == [""]


async def test_pictures_beyond_what_mail_has_are_left_out(reader: Reader) -> None:
    urls = [f"//t.example/{number}" for number in range(MAX_PICTURES + 2)]
    body = "".join(f"<img src={url}>" for url in [*urls, urls[0]])
    paths = picture_paths(await reader.frame(f"{await reader.deliver(mail(body))}?pictures=1"))
    assert all(paths[:MAX_PICTURES])
    assert paths[MAX_PICTURES:] == ["", "", paths[0]]


# Neighbours


def steps(page: LexborHTMLParser) -> dict[str, str]:
    links = page.css(".steps a")
    return {link.attributes["data-key"] or "": link.attributes["href"] or "" for link in links}


async def test_next_and_back_stay_in_the_list_that_it_was_opened_from(reader: Reader) -> None:
    paths = [await reader.deliver(mail(subject=f"s{number}")) for number in range(4)]
    ids = [UUID(path.rpartition("/")[2]) for path in paths]
    other = await reader.mailroom.add_mailbox("other@example.test")
    await reader.mailroom.spool(mail(subject="other"), other.address)
    await reader.mailroom.take_in()
    (elsewhere,) = await reader.mailroom.rows(other)
    database = reader.mailroom.services.database
    await database.execute("update message set folder = 'archive' where id = $1", ids[1])
    await database.execute("update message set is_starred = true where id = any($1)", ids[1:3])

    found = steps(await reader.open(paths[2]))
    assert found == {"o": f"/inbox#m-{ids[2]}", "k": paths[3], "j": paths[0]}
    assert steps(await reader.open(paths[3]))["k"] == f"/inbox/m/{elsewhere.id}"
    narrowed = f"?mailbox={reader.mailroom.mailbox.id}"
    found = steps(await reader.open(paths[3] + narrowed))
    assert found == {"o": f"/inbox{narrowed}#m-{ids[3]}", "j": paths[2] + narrowed}
    found = steps(await reader.open(f"{paths[2]}?starred=1"))
    assert found == {"o": f"/inbox?starred=1#m-{ids[2]}", "j": f"{paths[1]}?starred=1"}
    # One that has left the list lies in that of its folder.
    assert set(steps(await reader.open(paths[1]))) == {"o"}


async def test_unread_message_keeps_its_place_once_it_was_read(reader: Reader) -> None:
    paths = [await reader.deliver(mail(subject=f"s{number}")) for number in range(3)]
    for _ in range(2):
        found = steps(await reader.open(f"{paths[1]}?unread=1"))
        assert (found["k"], found["j"]) == (f"{paths[2]}?unread=1", f"{paths[0]}?unread=1")


async def test_label_has_neighbours_of_its_own(reader: Reader) -> None:
    paths = [await reader.deliver(mail(subject=f"s{number}")) for number in range(3)]
    ids = [path.rpartition("/")[2] for path in paths]
    form = {"csrf_token": await reader.token(), "ids": [ids[0], ids[2]], "name": "Bills"}
    await reader.client.post("/inbox/actions", data={**form, "action": "label"})
    label = await reader.mailroom.services.database.fetch_value("select id from label")
    found = steps(await reader.open(f"{paths[2]}?label={label}"))
    assert "k" not in found
    assert found["j"] == f"{paths[0]}?label={label}"


async def test_message_can_be_archived_from_its_page(reader: Reader) -> None:
    path = await reader.deliver(mail())
    form = (await reader.open(path)).css_first("form.one")
    fields = {node.attributes["name"]: node.attributes["value"] for node in form.css("input")}
    button = form.css_first("[data-key=e]").attributes
    answer = await reader.client.post(
        "/inbox/actions", data={**fields, button["name"]: button["value"]}
    )
    assert answer.status_code == 303
    assert (await reader.mailroom.rows())[0].folder == "archive"


# Raw messages


async def select(reader: Reader, ids: Sequence[object], token: str | None = None) -> httpx.Response:
    token = await reader.token() if token is None else token
    return await reader.client.post(
        "/inbox/raw-zip", data={"csrf_token": token, "ids": [str(id) for id in ids]}
    )


async def unpack(reader: Reader, link: str) -> dict[str, bytes]:
    answer = await reader.client.get(link)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment;")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_selection_is_packed_byte_for_byte(reader: Reader) -> None:
    mails = [mail(subject=f"s{number}") for number in range(3)]
    ids = [(await reader.deliver(data)).rpartition("/")[2] for data in mails]
    answer = await select(reader, ids[:2])
    assert answer.status_code == 303
    link = answer.headers["location"]
    assert link.startswith("/raw-zip/")
    day = f"{reader.mailroom.services.clock.now():%Y-%m-%d}"
    assert await unpack(reader, link) == {
        f"{day} s0.eml": PREFIX + mails[0],
        f"{day} s1.eml": PREFIX + mails[1],
    }


async def test_names_in_the_archive_are_safe_and_unlike(reader: Reader) -> None:
    subjects = [
        "../../etc/passwd", "..\\..\\x", "same", "SAME", "same", "", "a:b*c?d\"e<f>g|h", "x" * 400,
        "=?utf-8?b?4oCuZ3BqLmV4ZQ==?=", "=?utf-8?b?0J/RgNC40LLQtdGC?=", "=?utf-8?q?a=00b=0Ac?=",
        "con", "~/.ssh/id", "=?utf-8?b?" + "8J+YgA==?= " * 40,
    ]  # fmt: skip
    ids = [(await reader.deliver(mail(subject=each))).rpartition("/")[2] for each in subjects]
    names = list(await unpack(reader, (await select(reader, ids)).headers["location"]))
    assert len({name.casefold() for name in names}) == len(subjects)
    for name in names:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d [\w .,+=@()-]+\.eml", name), name
        assert len(name.encode()) < 200
    assert any("Привет" in name for name in names)
    assert sum("same" in name.casefold() for name in names) == 3


async def test_archive_names_what_was_deleted_meanwhile(reader: Reader) -> None:
    ids = [UUID((await reader.deliver(mail(subject=f"s{n}"))).rpartition("/")[2]) for n in range(4)]
    services = reader.mailroom.services
    link = (await select(reader, ids)).headers["location"]
    rows = {row.id: row for row in await reader.mailroom.rows()}
    await services.database.execute("delete from message where id = $1", ids[0])
    key = raw_key(reader.mailroom.mailbox.tenant_id, rows[ids[1]].sha256)
    await services.blobs.delete(key)
    files = await unpack(reader, link)
    assert sorted(name.partition(" ")[2] for name in files) == ["", "s2.eml", "s3.eml"]
    missing = files["missing.txt"].decode()
    assert str(ids[0]) in missing
    assert "s1.eml" in missing
    assert "s2" not in missing


async def test_selection_is_refused_without_a_token_or_beyond_its_bounds(reader: Reader) -> None:
    message_id = (await reader.deliver(mail())).rpartition("/")[2]
    assert (await select(reader, [message_id], token="")).status_code == 403
    assert (await select(reader, [message_id], token="wrong")).status_code == 403
    assert (await select(reader, [])).status_code == 404
    assert (await select(reader, ["no id"])).status_code == 400
    assert (await select(reader, [message_id, *(uuid4() for _ in range(200))])).status_code == 400
    assert (await select(reader, [uuid4()])).status_code == 404


async def test_selection_holds_nothing_of_another_tenant(reader: Reader) -> None:
    services = reader.mailroom.services
    mine = UUID((await reader.deliver(mail())).rpartition("/")[2])
    tenant = await services.tenants.create("Other", "developer")
    await services.domains.add("other.test", tenant.id, vouched=True)
    theirs = await services.mailboxes.add("box@other.test", tenant.id)
    await reader.mailroom.spool(mail(subject="theirs"), theirs.address)
    await reader.mailroom.take_in()
    (row,) = await reader.mailroom.rows(theirs)
    assert (await select(reader, [row.id])).status_code == 404
    files = await unpack(reader, (await select(reader, [mine, row.id])).headers["location"])
    assert len(files) == 1
    access = Access(reader.mailroom.mailbox.tenant_id, [theirs.id])
    with pytest.raises(NotFound):
        await services.archive.select(access, [mine])


async def test_archive_is_sent_while_it_is_made(reader: Reader) -> None:
    """No more of it is held than a piece of one message."""
    ids = []
    for number in range(3):
        body = "".join(f"{number} {line} {uuid4()}\r\n" for line in range(12_000))
        ids.append(UUID((await reader.deliver(mail(body, kind="plain"))).rpartition("/")[2]))
    services = reader.mailroom.services
    link = SelectionLink(reader.mailroom.mailbox.tenant_id, ids)
    pieces = [piece async for piece in services.archive.stream(link)]
    assert len(pieces) > 20
    assert max(map(len, pieces)) < 200_000
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert len(archive.namelist()) == 3


async def test_archive_link_is_dead_when_ten_minutes_are_over(reader: Reader, clock: Any) -> None:
    message_id = (await reader.deliver(mail())).rpartition("/")[2]
    link = (await select(reader, [message_id])).headers["location"]
    assert (await reader.client.get(f"{link}x")).status_code == 404
    clock.moved_seconds = 602
    assert (await reader.client.get(link)).status_code == 404


async def test_two_hundred_messages_fit_a_link(reader: Reader) -> None:
    links = reader.mailroom.services.links
    ids = [reader.mailroom.services.ids.new() for _ in range(200)]
    link = links.sign_selection(SelectionLink(uuid4(), ids))
    assert len(link) < 8000
    assert links.open_selection(link.rpartition("/")[2]).message_ids == ids
