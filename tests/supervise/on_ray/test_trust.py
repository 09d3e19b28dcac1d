"""Hosts are told when one does not accept the other's certificate, and which side it is."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from launcher.runs.clusters import Tls
from launcher.supervise.on_ray.trust import Untrusted, context_of, shake_hands
from tests.fleet.certificates import Authority, Files


def tls(files: Files) -> Tls:
    return Tls(server_cert=str(files.cert), server_key=str(files.key), ca_cert=str(files.ca))


@pytest.fixture
def ours(tmp_path: Path) -> Tls:
    return tls(Authority("ours").write(tmp_path / "ours", "here", "127.0.0.1"))


def greet(mine: Tls, heads: Tls, believes: Tls) -> None:
    """Shake hands with a head that shows a certificate, and believes an authority."""

    async def talk() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(heads.server_cert, heads.server_key)
        context.load_verify_locations(believes.ca_cert)
        context.verify_mode = ssl.CERT_REQUIRED

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"settings")  # as HTTP/2 does
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            await shake_hands("127.0.0.1", server.sockets[0].getsockname()[1], mine)

    asyncio.run(talk())


def test_hosts_with_the_same_authority_accept_each_other(ours: Tls) -> None:
    greet(ours, heads=ours, believes=ours)


def test_a_head_with_another_authority_is_not_accepted(ours: Tls, tmp_path: Path) -> None:
    other = tls(Authority("other").write(tmp_path / "other", "head", "127.0.0.1"))
    with pytest.raises(Untrusted, match="the certificate of the head's Ray is not accepted here"):
        greet(ours, heads=other, believes=ours)


def test_a_head_at_another_address_than_its_certificate_has_is_not_accepted(tmp_path: Path) -> None:
    authority = Authority("ours")
    mine = tls(authority.write(tmp_path / "mine", "here", "127.0.0.1"))
    heads = tls(authority.write(tmp_path / "head", "head", "10.0.0.1"))
    with pytest.raises(Untrusted, match=r"not valid for '127\.0\.0\.1'"):
        greet(mine, heads=heads, believes=mine)


def test_a_head_that_does_not_accept_us_is_told_apart(ours: Tls, tmp_path: Path) -> None:
    other = tls(Authority("other").write(tmp_path / "other", "other", "127.0.0.1"))
    with pytest.raises(Untrusted, match="the head's Ray does not accept this host's certificate"):
        greet(ours, heads=ours, believes=other)


@pytest.mark.parametrize("missing", ["server_cert", "server_key", "ca_cert"])
def test_a_file_that_is_not_there_is_told(ours: Tls, missing: str) -> None:
    path = getattr(ours, missing)
    Path(path).unlink()
    with pytest.raises(Untrusted, match="No such file") as raised:
        context_of(ours)
    assert path in raised.value.where
