"""Requests: patience with a busy server, none with a wrong answer, and no host that was not named."""

from __future__ import annotations

import gzip
import json
import time
from urllib.parse import urlsplit

import pytest

from cba.errors import InputError, SourceUnreachable
from cba.inputs.releases.http_client import Pace, fetch, retry_after
from tests.inputs.fake_publishers import Reply, as_json, publishers

JSON = ("application/json",)


@pytest.fixture
def fake():
    with publishers() as running:
        yield running


@pytest.fixture
def waits():
    return []


@pytest.fixture
def pace(waits):
    return Pace(
        attempts=3, connect=2, read=2, overall=5, sleep=waits.append, jitter=lambda: 1.0, limit=10_000
    )


def ask(fake, pace, path="/a", **more):
    return fetch(fake.url + path, hosts=(urlsplit(fake.url).netloc,), accept=JSON, pace=pace, **more)


def test_an_answer_is_unpacked_and_the_agent_is_named(fake, pace):
    fake.says("/a", as_json({"page": 1}, packed=True))
    answer = ask(fake, pace, parameters={"search": "looked after"})
    assert json.loads(answer.content) == {"page": 1}
    assert answer.retrieved.endswith("+00:00") and answer.json() == {"page": 1}
    asked = fake.asked[0]
    assert asked.headers["User-Agent"].startswith("cba/") and asked.headers["Accept-Encoding"] == "gzip"
    assert asked.query == {"search": "looked after"} and asked.method == "GET"


def test_a_busy_server_is_asked_again_when_it_says(fake, pace, waits):
    fake.says("/a", as_json({}, status=429, headers={"Retry-After": "7"}), as_json({"ok": True}))
    assert json.loads(ask(fake, pace).content) == {"ok": True}
    assert waits == [7.0]


def test_waits_grow_and_are_jittered(fake, waits):
    fake.says("/a", as_json({}, status=504))
    drawn = iter([0.0, 1.0, 0.5, 0.25])
    pace = Pace(attempts=5, first_wait=1.0, longest_wait=6.0, sleep=waits.append, jitter=lambda: next(drawn))
    with pytest.raises(SourceUnreachable, match="no usable answer") as caught:
        ask(fake, pace)
    assert waits == [0.5, 2.0, 3.0, 5.0]  # between half and all of 1, 2, 4, 8
    assert fake.times("/a") == 5
    assert "HTTP 504 (asked 5 times)" in caught.value.details["found"]
    assert "--from FILE" in caught.value.details["next step"]
    assert caught.value.exit_code == 5


def test_a_server_that_asks_for_an_hour_is_left_alone(fake, pace, waits):
    fake.says("/a", as_json({}, status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(SourceUnreachable, match="asks to wait 3600 seconds"):
        ask(fake, pace)
    assert waits == [] and fake.times("/a") == 1


def test_a_body_cut_off_is_asked_for_again(fake, pace):
    fake.says("/a", as_json({"ok": True}, cut=3), as_json({"ok": True}))
    assert json.loads(ask(fake, pace).content) == {"ok": True}
    fake.says("/b", as_json({"ok": True}, cut=3))
    with pytest.raises(SourceUnreachable, match="asked 3 times"):
        ask(fake, pace, "/b")


def test_a_packed_body_cut_off_before_it_was_sent_is_seen(fake, pace):
    """The length fits, the packing does not: what a cache stores half of."""
    half = gzip.compress(b'{"rows": [1, 2, 3, 4, 5]}')[:-9]
    fake.says("/a", Reply(half, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(SourceUnreachable, match="cut off inside its packing"):
        ask(fake, pace)


def test_a_wrong_kind_of_answer_is_no_answer(fake, pace):
    fake.says("/a", Reply(b"<html>maintenance</html>", kind="text/html"))
    with pytest.raises(SourceUnreachable, match="type text/html where application/json"):
        ask(fake, pace)


def test_a_slow_drip_is_cut_off(fake, waits):
    fake.says("/a", as_json({"text": "x" * 500}, drip=0.02))
    pace = Pace(attempts=1, connect=2, read=2, overall=0.3, sleep=waits.append)
    with pytest.raises(SourceUnreachable, match="not complete after 0.3 seconds"):
        ask(fake, pace)


@pytest.mark.parametrize("how", [{"drip": 0.02}, {"endless_head": 0.02}])
def test_a_drip_ends_in_time_whatever_the_attempts(fake, waits, how):
    """The time is that of the whole answer, its head too, and not begun anew by each attempt."""
    fake.says("/a", as_json({"text": "x" * 2000}, **how))
    pace = Pace(attempts=5, connect=2, read=2, overall=0.5, sleep=waits.append)
    began = time.monotonic()
    with pytest.raises(SourceUnreachable, match="not complete after 0.5 seconds"):
        ask(fake, pace)
    assert time.monotonic() - began < 20 and fake.times("/a") == 1 and waits == []


@pytest.mark.parametrize("status", [500, 501, 520, 599])
def test_every_fault_of_the_server_is_no_answer(fake, pace, status):
    fake.says("/a", as_json({}, status=status))
    with pytest.raises(SourceUnreachable, match=f"HTTP {status}") as caught:
        ask(fake, pace)
    assert caught.value.exit_code == 5 and fake.times("/a") == 3


@pytest.mark.parametrize("status", [401, 403, 407, 451])
def test_not_being_let_in_is_no_answer_and_no_mistyped_identifier(fake, pace, waits, status):
    fake.says("/a", Reply(b"<html>blocked by the firewall</html>", status=status, kind="text/html"))
    with pytest.raises(SourceUnreachable, match=f"HTTP {status}") as caught:
        ask(fake, pace)
    assert "blocked by the firewall" in caught.value.details["found"]
    assert caught.value.exit_code == 5 and fake.times("/a") == 1 and waits == []


def test_silence_is_cut_off(fake, waits):
    fake.says("/a", as_json({"text": "x"}, drip=3.0))
    pace = Pace(attempts=1, connect=1, read=0.2, overall=5, sleep=waits.append)
    with pytest.raises(SourceUnreachable, match="ReadTimeout"):
        ask(fake, pace)


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_too_large_is_refused_unpacked_or_not(fake, pace, packed):
    fake.says("/a", as_json({"text": "0" * 20_000}, packed=packed))
    with pytest.raises(InputError, match="larger than a release") as caught:
        ask(fake, pace)
    assert "10,000 bytes" in caught.value.details["allowed"]


def test_a_redirect_is_followed_on_named_hosts_only(fake, pace):
    fake.says("/a", Reply(status=302, headers={"Location": "/b"}))
    fake.says("/b", as_json({"ok": True}))
    assert ask(fake, pace).url.endswith("/b")
    port = urlsplit(fake.url).port
    fake.says("/c", Reply(status=302, headers={"Location": f"http://localhost:{port}/b"}))
    before = fake.times("/b")
    with pytest.raises(InputError, match="outside the configuration") as caught:
        ask(fake, pace, "/c")
    assert caught.value.details["found"] == f"http://localhost:{port}"
    assert "`hosts`" in caught.value.details["next step"]
    assert fake.times("/b") == before


def test_a_redirect_may_not_drop_encryption(fake, pace):
    with pytest.raises(InputError, match="outside the configuration"):
        fetch("http://api.education.gov.uk/x", hosts=("api.education.gov.uk",), accept=JSON, pace=pace)


def test_a_circle_of_redirects_ends(fake, pace):
    fake.says("/a", Reply(status=302, headers={"Location": "/a"}))
    with pytest.raises(InputError, match="without end"):
        ask(fake, pace)


def test_a_request_refused_for_good_is_not_repeated(fake, pace, waits):
    problem = {
        "title": "There are validation errors",
        "status": 400,
        "errors": [{"code": "IndicatorsNotFound"}],
    }
    fake.says("/a", as_json(problem, status=400))
    with pytest.raises(InputError, match="HTTP 400") as caught:
        ask(fake, pace)
    assert "IndicatorsNotFound" in caught.value.details["found"]
    assert fake.times("/a") == 1 and waits == []


def test_no_server_is_said(pace):
    with pytest.raises(SourceUnreachable, match="ConnectError"):
        fetch("http://127.0.0.1:9/x", hosts=("127.0.0.1:9",), accept=JSON, pace=pace)


@pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), (None, None), ("soon", None), ("-1", None)])
def test_retry_after(text, seconds):
    assert retry_after(text) == seconds


BAD_PLACES = (
    "http://127.0.0.1:abc/b",
    "http://127.0.0.1:99999/b",
    "http://127.0.0.1\\b",
    "http:\\\\127.0.0.1\\b",
    "http://[::1/b",
    "http://" + "a" * 70 + ".example/b",
    "//\x7f/b",
)


@pytest.mark.parametrize("place", BAD_PLACES)
def test_an_answer_that_sends_to_an_address_that_cannot_be_is_no_answer(fake, pace, place):
    fake.says("/a", Reply(status=302, headers={"Location": place}))
    with pytest.raises((SourceUnreachable, InputError)) as caught:
        fetch(fake.url + "/a", hosts=(urlsplit(fake.url).netloc,), accept=JSON, pace=pace)
    assert caught.value.details["file"] and caught.value.details["next step"]
    with pytest.raises((SourceUnreachable, InputError)) as caught:  # as a link inside an answer
        fetch(
            place if place.startswith("http") else f"http:{place}",
            hosts=("127.0.0.1",),
            accept=JSON,
            pace=pace,
        )
    assert caught.value.details["file"] and caught.value.details["next step"]


BAD_ADDRESSES = (
    "http://127.0.0.1:abc",
    "https://publisher.example:abc",
    "https://publisher.example:99999",
    "https://publisher.example:0",
    "https://publisher.example:",
    "https://[::1",
    "https://publisher example",
    "https://publisher.example\\path",
    "https:\\\\publisher.example",
    "https://publisher.example/a b",
    "https://publisher.example/a#b",
    "https://publisher.example/a?b=1",
    "https://-publisher.example",
    "https://publisher..example",
    "https://" + "a" * 64 + ".example",
    "https://päblisher.example",
    "https://me@publisher.example",
    "http://publisher.example",
    "https://publisher.example/",
    "ftp://publisher.example",
    "javascript:alert(1)",
    "https://",
)
SOURCE = """
[[data.sources]]
name = "deflator"
kind = "hmt_deflator"
base_url = {base}
data_set = "government/collections/gdp-deflators"
source = "HMT_GDP"
{more}
"""


@pytest.mark.parametrize("bad", BAD_ADDRESSES)
@pytest.mark.parametrize("field", ["base_url", "calendar_url", "hosts"])
def test_an_address_typed_into_an_analysis_is_refused_where_it_stands(tmp_path, bad, field):
    from cba.inputs.analyses import load_data
    from tests.cli.test_cli import SMALL

    good, quoted = '"https://www.gov.uk"', json.dumps(bad)
    more = {
        "base_url": "",
        "calendar_url": f'publication = "x"\ncalendar = "ees"\ncalendar_url = {quoted}',
        "hosts": f"hosts = [{json.dumps(bad.removeprefix('https://'))}]",
    }
    if field == "hosts" and bad == "https://":
        pytest.skip("an empty text is refused before")
    written = SOURCE.format(base=quoted if field == "base_url" else good, more=more[field])
    (tmp_path / "small.toml").write_text(SMALL + written, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_data(str(tmp_path / "small.toml"))
    said = refused.value.details
    assert said["file"] and field in said["field"] and said["allowed"] and said["next step"]


@pytest.mark.parametrize(
    "good", ["https://www.gov.uk", "http://127.0.0.1:8000", "http://[::1]:80/a/b.c", "https://a.b/c-d_e"]
)
def test_an_address_that_can_be_is_taken(good):
    from cba.inputs.data_sources import check_url

    check_url(good, field="base_url")
