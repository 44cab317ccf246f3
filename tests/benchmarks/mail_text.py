"""Mail as it reads: words by Zipf's law, a few people who write much, bodies of all lengths.

The same seed gives the same mail. The words are made up, so their spread is all that counts.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from uuid import UUID

from app.search.port import Document

START = datetime(2024, 1, 1, tzinfo=UTC)
BETWEEN = timedelta(minutes=7)

_SYLLABLES = [
    *("ba", "be", "bi", "bo", "da", "de", "di", "do", "fa", "ka", "ke", "ko", "la", "le", "li"),
    *("lo", "ma", "me", "mi", "mo", "na", "ne", "no", "pa", "pe", "po", "ra", "re", "ri", "ro"),
    *("sa", "se", "si", "so", "ta", "te", "ti", "to", "va", "ve", "vi", "wa"),
]
_ENDINGS = ("", "", "", "n", "s", "r", "ing", "ed")
_VOCABULARY = 40_000
_PEOPLE = 600
_FILES = ("report.pdf", "photo.jpg", "minutes.docx", "figures.xlsx")
# Half of all bodies have under 140 words, one in twenty over 600.
_LENGTH = (4.95, 0.9)


class MailText:
    def __init__(self, seed: int = 1) -> None:
        self.random = Random(seed)
        self.words = self._make_words()
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(_VOCABULARY)))
        self.people = [self._make_person() for _ in range(_PEOPLE)]

    def text(self, count: int) -> str:
        return " ".join(self.random.choices(self.words, cum_weights=self._weights, k=count))

    def documents(self, count: int, *, tenant_id: UUID, mailbox_id: UUID) -> Iterator[Document]:
        """One message every seven minutes since 2024."""
        choose = self.random
        for number in range(count):
            name, address = self.people[int(choose.paretovariate(1)) % _PEOPLE]
            length = min(4000, int(choose.lognormvariate(*_LENGTH)))
            copies = choose.sample(self.people, choose.choice((0, 0, 0, 1, 3)))
            yield Document(
                message_id=UUID(int=(number << 64) | choose.getrandbits(60)),
                tenant_id=tenant_id,
                mailbox_id=mailbox_id,
                received_at=START + BETWEEN * number,
                subject=self.text(choose.randint(2, 9)),
                sender_name=name,
                sender_address=address,
                to="box@example.test",
                cc=", ".join(address for _, address in copies),
                text=self.text(length),
                file_names=(choose.choice(_FILES),) if choose.random() < 0.1 else (),
            )

    def _make_words(self) -> Sequence[str]:
        choose, words = self.random, dict[str, None]()
        while len(words) < _VOCABULARY:
            count = choose.choice((1, 2, 2, 2, 3, 3, 4))
            stem = "".join(choose.choice(_SYLLABLES) for _ in range(count))
            words[stem + choose.choice(_ENDINGS)] = None
        return list(words)

    def _make_person(self) -> tuple[str, str]:
        first, last, host = (self.random.choice(self.words[200:9000]) for _ in range(3))
        return f"{first.title()} {last.title()}", f"{first}.{last}@{host}.example"
