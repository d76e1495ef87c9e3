"""Contents of the answer, for any mail and any text of the owner."""

import base64
import datetime
import email
import email.header
import email.policy
import io
import tracemalloc

import pytest
from hypothesis import given, strategies

from mailboxes.mailserver import autoresponder
from mailboxes.mailserver.autoresponder import answers
from mailboxes.mailserver.autoresponder.incoming_message import (
    MAX_HEADER_BYTES,
    IncomingMessage,
    read_message,
)
from mailboxes.mailserver.autoresponder.vacation_rows import VacationRow
from mailboxes.models import Mailbox
from tests.mailboxes.autoresponder.post import FRIEND, ZONE, at, build_mail, notes, vacation


def test_an_answer_cannot_cause_an_answer(post):
    assert post.deliver(build_mail(References="<0@example.net>")) == 0
    [answer] = post.answers()
    assert answer["From"] == "Bob <bob@example.org>"
    assert answer["To"] == FRIEND
    assert answer["Subject"] == "Away"
    assert answer.get_content() == "I am at the sea.\n"
    assert answer["Auto-Submitted"] == "auto-replied"
    assert answer["X-Auto-Response-Suppress"] == "All"
    assert answer["In-Reply-To"] == "<1@example.net>"
    assert answer["References"].split() == ["<0@example.net>", "<1@example.net>"]
    assert answer["Date"].datetime - at() < datetime.timedelta(minutes=1)
    assert answer["Message-ID"].endswith("@example.org>")
    assert post.envelopes() == [["-i", "-f", "<>", "--", FRIEND]]
    assert list(notes()) == [FRIEND]


def test_an_answer_in_russian_is_sent_unchanged(post):
    Mailbox.objects.filter(pk="bob@example.org").update(name="Борис «Боб» Иванов")
    text = "Я в отпуске.\r\nВернусь 5 мая 🌴.\r\n"
    vacation(subject="Нет на месте, вернусь не скоро, потому что я в долгом отпуске", body=text)
    post.deliver()
    [answer] = post.answers()
    [sender] = answer["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Борис «Боб» Иванов", "bob@example.org")
    assert answer["Subject"] == "Нет на месте, вернусь не скоро, потому что я в долгом отпуске"
    assert answer.get_content() == text
    assert answer.get_content_charset() == "utf-8"


def test_placeholders_for_subject_and_dates_are_filled_in(post):
    start = datetime.datetime(2026, 5, 1, 12, tzinfo=ZONE)
    end = datetime.datetime(2036, 5, 14, 12, tzinfo=ZONE)
    body = "From <%From_Date> until <%Until_Date>."
    vacation(subject="Re: $SUBJECT", body=body, activefrom=start, activeuntil=end)
    post.deliver(build_mail(Subject="=?utf-8?b?0J7QsdC10LQ=?= =?iso-8859-1?q?=E0_deux?="))
    [answer] = post.answers()
    assert answer["Subject"] == "Re: Обедà deux"
    assert answer.get_content() == "From 2026-05-01 until 2036-05-14.\n"


@pytest.mark.parametrize(
    "name", ['Bob "the \\ builder" Brown', "=?utf-8?q?root?=", "carol@example.com, Bob"]
)
def test_a_name_with_special_characters_is_quoted(post, name):
    Mailbox.objects.filter(pk="bob@example.org").update(name=name)
    post.deliver()
    [answer] = post.answers()
    [sender] = answer["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "bob@example.org")


@pytest.mark.parametrize("name", ["B" * 255, "Боб Борисович " * 18])
def test_a_long_name_is_folded(post, name):
    Mailbox.objects.filter(pk="bob@example.org").update(name=name)
    post.deliver()
    [answer] = post.answers()
    raw = email.message_from_bytes(answer.as_bytes())["From"]
    decoded = str(email.header.make_header(email.header.decode_header(raw)))
    assert " ".join(decoded.split()) == f"{name.strip()} <bob@example.org>"


def test_no_line_is_longer_than_smtp_allows(post):
    vacation(subject="y" * 255, body="x" * 5000)
    names = {"References": f"<{'0' * 3000}@example.net>", "Message_ID": f"<{'1' * 3000}@b>"}
    post.deliver(build_mail(**names))
    [answer] = post.answers()
    assert max(map(len, answer.as_bytes().split(b"\n"))) < 998
    assert answer.get_content().strip() == "x" * 5000
    assert "In-Reply-To" not in answer


LINES = base64.b64encode("a\r\nX-Evil: 1\u2028b\x85c".encode("utf-16")).decode()
HOSTILE = "=?utf-8?b?////?= =?utf-8?b?A?= =?rot13?q?abc?= =?\0?q?abc?= =?idna?q?=FF?="
HOSTILE += f" =?undefined?q?abc?= =?utf-8?q?a=0AX-Evil:_1=0D=0A=0D=0Ab?= =?utf-16?b?{LINES}?="


@pytest.mark.parametrize(
    "subject", [*HOSTILE.split(), "=?" * 50000, "x" * 200000, "a\r\n\tX-Evil: 1", HOSTILE]
)
def test_a_hostile_subject_stays_in_the_subject(post, subject):
    vacation(subject="Re: $SUBJECT")
    assert post.deliver(build_mail(Subject=subject)) == 0
    [answer] = post.answers()
    assert answer["Subject"].startswith("Re: ")
    assert len(answer["Subject"]) <= 500
    assert "X-Evil" not in answer
    assert answer.get_content() == "I am at the sea.\n"
    assert not answer.defects


FIELDS = [
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Auto-Submitted", "X-Auto-Response-Suppress", "X-Loop", "MIME-Version"),
    *("Content-Type", "Content-Transfer-Encoding"),
]
TEXTS = strategies.text(max_size=300) | strategies.text('\r\n :=?<>"\\a\u2028\x85\0é', max_size=80)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_text_can_inject_a_header_field(name, subject, body, original, references):
    fields = {
        "subject": [original],
        "message-id": [f"<1@example.net>{references}"],
        "references": [references],
    }
    away = VacationRow("bob@example.org", f"{subject}$SUBJECT", body, None, None, 0, name)
    now = datetime.datetime.now(ZONE)
    data = answers.compose_reply(away, IncomingMessage(FRIEND, fields, True), now)
    head, _, rest = data.partition(b"\n\n")
    answer = email.message_from_bytes(data, policy=email.policy.default)
    assert answer.keys() == FIELDS
    assert max(map(len, data.split(b"\n"))) < 998
    assert b"\r" not in head and data.isascii()
    assert answer["From"].addresses[0].addr_spec == "bob@example.org"
    assert answers.encode_body(answer.get_content())[1] == rest


@given(strategies.text('абв\t é=?_"', max_size=120), strategies.text(max_size=60))
def test_a_text_of_one_line_is_sent_unchanged(subject, name):
    subject, name = answers.collapse_whitespace(subject), answers.collapse_whitespace(name)
    away = VacationRow("bob@example.org", subject, "", None, None, 0, name)
    data = answers.compose_reply(
        away, IncomingMessage(FRIEND, {}, True), datetime.datetime.now(ZONE)
    )
    raw = email.message_from_bytes(data)
    assert (
        answers.collapse_whitespace(
            str(email.header.make_header(email.header.decode_header(raw["Subject"])))
        )
        == subject
    )


# Invalid mail


@given(
    strategies.binary(max_size=400)
    | strategies.lists(
        strategies.sampled_from(
            [
                b"From: ",
                b"To: ",
                b"Cc",
                b":",
                b"\n",
                b"\r\n",
                b" ",
                b"\0",
                b"\xff",
                b"<",
                b">",
                b'"',
            ]
            + [b"bob@example.org", b"a@b", b"=?utf-8?q?", b"?=", b"Message-ID: <1@b>", b"(", b","]
        ),
        max_size=60,
    ).map(b"".join)
)
def test_no_input_raises_an_exception(garbage):
    known = {"MAILADMIN_VACATION": True}
    message = read_message(io.BytesIO(garbage), FRIEND)
    list(autoresponder.rules.iter_no_reply_reasons(message, known))
    away = VacationRow("bob@example.org", "Re: $SUBJECT", "x", None, None, 0)
    answers.compose_reply(away, message, datetime.datetime.now(ZONE))


@pytest.mark.parametrize(
    "mail",
    [b"", b"\n", b"\0" * 100, b"\xff\xfe\n\n", b"no header at all", b"From friend Fri Nov 20\n\nx"]
    + [b": x\n\n", b"From: " + b"(" * 100000 + b"\n\n", b"To: " + b"a@b," * 60000 + b"\n\n"]
    + [b"A" * 2 * MAX_HEADER_BYTES, build_mail(X=b"y" * MAX_HEADER_BYTES)],
)
def test_garbage_gets_no_answer_and_no_bounce(post, mail):
    assert post.deliver(mail) == 0
    assert post.answers() == []


def test_a_header_with_invalid_bytes_is_answered(post):
    mail = build_mail().replace(b"Lunch?", b"caf\xe9 \xff\x00 =?utf-8?q?=FF?=")
    vacation(subject="Re: $SUBJECT")
    assert post.deliver(mail) == 0
    assert len(post.answers()) == 1


class Large(io.RawIOBase):
    """A mail of 50 MB that is generated while it is read."""

    def __init__(self, start):
        self.left, self.start = 50 * 2**20, start

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.start or b"x" * min(len(buffer), self.left)
        data, self.start = data[: len(buffer)], b""
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


@pytest.mark.parametrize("start", [build_mail(), b"Subject: Lunch?\nX: one long line"])
def test_a_large_mail_is_read_to_its_end_and_not_kept_in_memory(start):
    large = Large(start)
    tracemalloc.start()
    try:
        message = read_message(io.BufferedReader(large), FRIEND)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert large.left == 0
    assert message.first("subject") == "Lunch?"
    assert peak < 2 * 2**20
