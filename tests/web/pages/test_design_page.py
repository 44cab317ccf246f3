"""The page of all parts: there for those who work on them, and for nobody else."""

from dataclasses import replace

import httpx
from application import serving
from selectolax.lexbor import LexborHTMLParser

from app.assembly import assemble
from app.main import web_application
from app.settings import Settings


async def test_design_shows_every_part(web: httpx.AsyncClient) -> None:
    answer = await web.get("/design")
    assert answer.status_code == 200
    tree = LexborHTMLParser(answer.text)
    assert len(tree.css("main .row")) == 8
    assert len(tree.css("main .toast")) == 4
    assert len({empty.text() for empty in tree.css("main .empty")}) == 9
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert not tree.css("style, [style], script:not([data-scripts])")


async def test_design_is_not_there_in_production(settings: Settings) -> None:
    services = assemble(replace(settings, pillarbox_env="production"))
    async with serving(web_application(services)) as web:
        assert (await web.get("/design")).status_code == 404
