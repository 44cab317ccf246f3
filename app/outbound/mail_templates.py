"""The words of our own mails: `templates/email/NAME/{subject.txt,body.txt,body.html}`."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_FOLDER = Path(__file__).parents[2] / "templates/email"


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says. The subject is one line."""

    subject: str
    text: str
    html: str


class MailTemplates:
    """Renders a mail's three parts. HTML is escaped, and an undefined variable raises."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, name: str, **values: object) -> Words:
        subject, text, html = (
            self._environment.get_template(f"{name}/{part}").render(values)
            for part in ("subject.txt", "body.txt", "body.html")
        )
        return Words(subject.strip(), text.strip() + "\n", html)
