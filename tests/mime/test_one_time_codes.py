"""What is a one-time code in a mail, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mime.one_time_codes import MAX_CODES, find_codes

CODES: dict[str, str] = {
    "Your verification code is 493817.": "493817",
    "Enter this code to sign in:\n\n  123 456\n\nOrder 4711 was shipped in 2024.": "123456",
    "Code: 123-456": "123456",
    "Your code (valid once): 482913": "482913",
    "Use code 2024 to log in": "2024",
    "Use 482913 as your one-time password": "482913",
    "Your code is\n1 2 3 4 5 6\n": "123456",
    "PIN: 0042": "0042",
    "Your verification code\nG-482913": "482913",
    "Your device code: WDJB-MJHT": "WDJB-MJHT",
    "Your confirmation code:\n\nXY7-92P\n": "XY7-92P",
    "confirmation code\n\nA1B2C3\n\n": "A1B2C3",
    "Your login code\n\n**482913**\n\nAcme, 1234 Main Street, 62704 Springfield\n© 2026": "482913",
    "OTP for your login: 482913. Call +49 30 1234567 or (555) 123-4567.": "482913",
    "Your code expires on 2026-11-22 at 12:30. It is 482913.": "482913",
    "Dein Bestätigungscode lautet: 8842": "8842",
    "Ihr Einmalpasswort: 99881234": "99881234",
    "Votre code de vérification est 551 203": "551203",
    "Su código de verificación es 771203.": "771203",
    "Il tuo codice di verifica è 112358": "112358",
    "Je verificatiecode: 551203": "551203",
    "Kod weryfikacyjny: 482913": "482913",
    "Doğrulama kodunuz: 482913": "482913",
    "Vahvistuskoodi\n482913": "482913",
    "Din engångskod är 482913": "482913",
    "Ваш код: 4829": "4829",
    "您的验证码是482913，5分钟内有效": "482913",
    "認証コード：482913": "482913",
    "인증번호는 482913 입니다": "482913",
}

NO_CODES = (
    "Your order number 123456 of 2026-11-22 for $1234.56. Tracking 98765432.",
    "Use promo code SAVE20 for 4000 points",
    "Meeting at 12:30 on 22.11.2026, room 4711",
    "Call us: 555 1234",
    "Total 1234 EUR, invoice no. 20261122",
    "The source code has 4711 lines",
    "Open https://example.com/verify?code=123456",
    "code+123456@example.com has joined",
    "Your password was changed in 2026.",
    "The code review is due. ACME-CORP",
    "Our PIN pads cost 4900 EUR, order 123456",
    "",
)


@pytest.mark.parametrize("text", CODES)
def test_code_is_found_by_the_words_around_it(text: str) -> None:
    assert find_codes("", text)[:1] == [CODES[text]]


@pytest.mark.parametrize("text", NO_CODES)
def test_what_only_looks_like_a_code_is_none(text: str) -> None:
    assert find_codes("", text) == []


def test_subject_counts_and_what_it_repeats_is_one_code() -> None:
    assert find_codes("493817 is your Acme code", "Hello,\n\n493817\n\nBye") == ["493817"]


def test_likeliest_code_comes_first() -> None:
    text = "Ticket 99120 about your code.\nYour sign-in code is 493817, your old code was 118822."
    assert find_codes("", text)[0] == "493817"


def test_html_is_looked_at_where_the_text_has_none() -> None:
    html = "<p>Your code</p><table><tr><td>4</td><td>9</td><td>3</td><td>8</td></tr></table>"
    assert find_codes("", "Open this mail in a browser.", html) == ["4938"]
    assert find_codes("", "Your code is 1111", html) == ["1111"]


@given(
    st.text(st.sampled_from("code :.-\n 0123456789ABZé码$€<>@/=") | st.characters(), max_size=300)
)
def test_codes_are_short_and_distinct_whatever_the_text(text: str) -> None:
    found = find_codes(text[:50], text, text)
    assert len(found) == len(set(found)) <= MAX_CODES
    assert all(4 <= len(code.replace("-", "")) <= 8 for code in found)


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "1-", "code ", "code: ", "A1", "a@", "-", "code 123456 ", "123456\n", "order no. "],
)
def test_long_text_is_read_to_its_bound(piece: str) -> None:
    """A mail of many megabytes costs no more than one of a few thousand characters."""
    text = piece * (3_000_000 // len(piece))
    assert find_codes("", text) == find_codes("", text[:20_000])
