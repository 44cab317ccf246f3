"""A small shop's sign-up: an address counts once its owner has typed the code that was mailed."""

import os
import secrets
import smtplib
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class SignUp:
    """People who have signed up, and those who have yet to type their code."""

    confirmed: set[str] = field(default_factory=set)
    _codes: dict[str, str] = field(default_factory=dict)

    def begin(self, address: str) -> None:
        """Mails a new code to the address; an earlier one stops counting."""
        code = f"{secrets.randbelow(10**6):06}"
        self._codes[address] = code
        message = EmailMessage()
        message["From"] = "Shop <shop@example.com>"
        message["To"] = address
        message["Subject"] = "Confirm your address"
        message.set_content(
            f"Welcome to the shop!\n\nYour code is {code}. It is good for 10 minutes.\n\n"
            f"Or open https://shop.example/confirm?code={code}\n"
        )
        message.add_attachment("No returns.\n", filename="terms.txt")
        host, port = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
        with smtplib.SMTP(host, port, timeout=10) as server:
            server.send_message(message)

    def confirm(self, address: str, code: str) -> bool:
        """Whether the code is the one that was mailed last. Then it stops counting."""
        if self._codes.get(address) != code:
            return False
        del self._codes[address]
        self.confirmed.add(address)
        return True
