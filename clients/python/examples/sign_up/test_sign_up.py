"""The sign-up, through the mail that it sends.

PILLARBOX_URL=https://mail.example.org PILLARBOX_API_KEY=… PILLARBOX_DOMAIN=test.example.org \
    SMTP_HOST=mail.example.org SMTP_PORT=25 pytest
"""

import pytest
from pillarbox_client.testing import MailboxForTest
from sign_up import SignUp


def test_code_from_the_mail_confirms_the_address(mail: MailboxForTest) -> None:
    sign_up = SignUp()
    sign_up.begin(mail.address)
    message = mail.wait(match="subject:confirm from:shop@example.com")
    assert sign_up.confirm(mail.address, message.codes[0])
    assert mail.address in sign_up.confirmed


def test_mail_has_a_link_and_the_terms(mail: MailboxForTest) -> None:
    SignUp().begin(mail.address)
    message = mail.wait()
    (link,) = message.links
    assert link.url.startswith("https://shop.example/confirm?code=")
    (terms,) = message.attachments
    assert mail.attachment(message, terms) == b"No returns.\r\n"


def test_only_the_newest_code_counts(mail: MailboxForTest) -> None:
    sign_up = SignUp()
    sign_up.begin(mail.address)
    first = mail.wait(match="subject:confirm")
    sign_up.begin(mail.address)
    second = mail.wait(match="subject:confirm")
    assert first.id != second.id
    assert not sign_up.confirm(mail.address, first.codes[0])
    assert sign_up.confirm(mail.address, second.codes[0])


def test_failure_says_what_was_waited_for_and_what_came(mail: MailboxForTest) -> None:
    SignUp().begin(mail.address)
    mail.wait()
    with pytest.raises(pytest.fail.Exception) as failure:
        mail.wait(match="subject:receipt", timeout_seconds=1)
    assert "'subject:receipt'" in str(failure.value)
    assert "'Confirm your address' from shop@example.com" in str(failure.value)
