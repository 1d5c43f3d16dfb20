"""Where webhooks may go: every way to write an address of this network is refused, before and at the connection."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from api.webhooks.guard import AddressRefused, Guard
from api.webhooks.sending import send
from tests.api.receiver import receiving

PUBLIC = Guard(resolve=lambda host, port: ["93.184.215.14"])


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "//hooks.example/", "hooks.example", "", "https://",
        "https:///path", "https://user:pass@hooks.example/", "https://user@hooks.example/", "https://@hooks.example/",
        "https://hooks.example:22/", "https://hooks.example:80/", "https://hooks.example:8000/",
        "https://hooks.example:99999/", "https://hooks.example:x/", "https://hooks.example/#part",
        "https://hooks.example\\@evil.example/", "https://hooks.example/\nHost: x", "https://hooks example/",
        "https://①②⑦.0.0.1/", "https://bücher.example/", "https://_x.example/", "https://-a.example/",
        "https://" + "a" * 64 + ".example/", "https://hooks.example/" + "a" * 1_000, "https://[::1", "https://a..b/",
        # IPv4 of this machine and network, in every form a resolver understands
        "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
        "https://0x7f.0.0.1/", "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0/",
        "https://127.0.0.1./", "https://127.0.0.0x1/", "https://10.0.0.1/", "https://172.16.0.1/",
        "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/", "https://0.0.0.0/",
        "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/", "https://192.0.2.1/",
        "https://198.18.0.1/", "https://192.88.99.1/", "https://127.0.0.1:8443/",
        # IPv6, and IPv4 inside it
        "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/", "https://[::ffff:10.0.0.1]/", "https://[::127.0.0.1]/", "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/", "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[fec0::1]/",
        "https://[ff02::1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::1]/", "https://[2002:7f00:1::]/",
        "https://[2001:0:53aa:64c::1]/", "https://[2001:db8::1]/", "https://[100::1]/",
    ],
)  # fmt: skip
def test_refused_as_text(url: str) -> None:
    with pytest.raises(AddressRefused):
        PUBLIC.read(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://hooks.example", "hooks.example", 443, "/"),
        ("https://Hooks.Example:8443/a?b=c", "hooks.example", 8443, "/a?b=c"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://93.184.215.14/x", "93.184.215.14", 443, "/x"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", 443, "/x"),
        ("https://[::ffff:93.184.215.14]/", "::ffff:93.184.215.14", 443, "/"),
    ],
)
def test_taken(url: str, host: str, port: int, path: str) -> None:
    target = PUBLIC.read(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], ["fe80::1%eth0"], ["::ffff:192.168.0.1"],
        ["64:ff9b::a00:1"], ["93.184.215.14", "127.0.0.1"], ["2606:4700::1111", "fd00::1"], [], ["nonsense"],
        ["100.100.100.200"], ["0.0.0.0"],
    ],
)  # fmt: skip
def test_refused_by_what_a_name_leads_to(found: list[str]) -> None:
    guard = Guard(resolve=lambda host, port: found)
    with pytest.raises(AddressRefused):
        guard.pin(guard.read("https://hooks.example/"))


def test_a_name_that_leads_nowhere_is_told_like_one_that_leads_inside() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    told = []
    for guard in (Guard(resolve=fails), Guard(resolve=lambda host, port: ["10.0.0.1"])):
        with pytest.raises(AddressRefused) as caught:
            guard.pin(guard.read("https://hooks.example/"))
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_an_allowance_opens_what_it_names_and_no_more() -> None:
    guard = Guard((ip_network("127.0.0.0/8"),), plain=True)
    assert guard.permits(ip_address("127.0.0.5"))
    assert guard.permits(ip_address("::ffff:127.0.0.5"))
    for other in ("::1", "10.0.0.1", "169.254.169.254", "0.0.0.0"):
        assert not guard.permits(ip_address(other))
    assert guard.read("http://127.0.0.1:9000/hook").port == 9000
    with pytest.raises(AddressRefused):
        guard.read("http://192.168.0.1:9000/hook")


def test_what_was_judged_is_what_is_connected_to() -> None:
    """The name leads to the first receiver when it is judged, and to the second for who asks again."""
    with receiving("127.0.0.1") as first, receiving("127.0.0.2", first.port) as second:
        answers: Iterator[list[str]] = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
        asked = []

        def changing(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        guard = Guard((ip_network("127.0.0.1/32"),), plain=True, resolve=changing)
        url = f"http://rebound.example:{first.port}/hook"
        assert send(guard, url, {"webhook-id": "msg_1"}, "{}").code == "delivered"
        assert asked == ["rebound.example"], "looked up once an attempt"
        assert first.came[0][0]["host"] == f"rebound.example:{first.port}"
        assert send(guard, url, {"webhook-id": "msg_2"}, "{}").code == "address"
        assert (len(first.came), second.came) == (1, [])


def test_redirects_are_not_followed() -> None:
    with receiving() as inside, receiving() as outside:
        outside.answers = [(307, {"Location": inside.url})]
        guard = Guard((ip_network("127.0.0.0/8"),), plain=True)
        outcome = send(guard, outside.url, {"webhook-id": "msg_1"}, "{}")
        assert (outcome.code, outcome.status, inside.came) == ("redirect", 307, [])


def test_an_attempt_has_an_end() -> None:
    guard = Guard((ip_network("127.0.0.0/8"),), plain=True)
    with receiving(delay=2.0) as slow:
        assert send(guard, slow.url, {"webhook-id": "msg_1"}, "{}", seconds=0.3).code == "timeout"
    assert send(guard, slow.url, {"webhook-id": "msg_1"}, "{}").code == "unreachable"
