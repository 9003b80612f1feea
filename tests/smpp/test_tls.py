"""TLS on both sides over real TCP, with an authority of our own: who is trusted, who is not, and who speaks no TLS."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from smpp.client import Client, tls_context
from smpp.pair import bind
from smpp.pdu import DeliverSm, SubmitSm
from smpp.simulator import Simulator, SimulatorOptions
from tests import certificates
from tests.smpp.ends import Carrier, Customer, bound, connected, listening, speaking, until, where


@dataclass
class Authority:
    """An authority in a directory of its own, and the certificates it makes."""

    home: Path

    def __post_init__(self) -> None:
        certificates.make(self.home, "ca", "/CN=An authority", "basicConstraints=critical,CA:TRUE")
        self.pem = (self.home / "ca.pem").read_text()

    def server(self, name: str) -> ssl.SSLContext:
        """What a server with a certificate for this name listens with; the name is "IP:..." or "DNS:..."."""
        file = name.replace(":", "-")
        if not (self.home / f"{file}.pem").exists():
            signed = "-CA", str(self.home / "ca.pem"), "-CAkey", str(self.home / "ca.key")
            certificates.make(self.home, file, "/CN=A carrier", f"subjectAltName={name}", *signed)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.home / f"{file}.pem", self.home / f"{file}.key")
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


async def say_and_hear(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A submit and its answer, a delivery and its acknowledgement."""
    customer, carrier = Customer(), Carrier()
    async with bound(customer, carrier, {"tls": server}, tls=client) as bind_:
        bind_.submit(SubmitSm(), "token")
        await until(lambda: bool(customer.answers), "the answer")
        carrier.peers[0].deliver(DeliverSm(), "receipt")
        await until(lambda: bool(customer.deliveries), "the delivery")
        bind_.acknowledge([customer.deliveries[0].sequence])
        await until(lambda: bool(carrier.acknowledgements), "its acknowledgement")
        await bind_.unbind(1)

    assert customer.losses == [([], "unbound")]


async def refused(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLError:
    """Why a client does not bind to a server."""
    customer, carrier = Customer(), Carrier()
    async with listening(carrier, tls=server) as port:
        with pytest.raises(ssl.SSLError) as found:
            await Client.bind(where(port, tls=client), customer)
    assert (carrier.peers, customer.losses) == ([], [])
    return found.value


async def test_a_trusted_authority(authority: Authority) -> None:
    await say_and_hear(authority.server("IP:127.0.0.1"), tls_context(ca=authority.pem))


async def test_one_of_several_authorities_with_remarks_in_any_script(
    authority: Authority, stranger: Authority
) -> None:
    several = f"# TÜRKTRUST\n{stranger.pem}\n# İkinci\n{authority.pem}"

    await say_and_hear(authority.server("IP:127.0.0.1"), tls_context(ca=several))


async def test_a_certificate_trusted_by_itself(authority: Authority) -> None:
    server = authority.server("IP:127.0.0.1")

    await say_and_hear(server, tls_context(ca=(authority.home / "IP-127.0.0.1.pem").read_text()))


@pytest.mark.parametrize("others", [True, False], ids=["another authority", "the system's authorities"])
async def test_an_unknown_authority_is_refused(
    authority: Authority, stranger: Authority, others: bool
) -> None:
    context = tls_context(ca=stranger.pem) if others else tls_context()

    error = await refused(authority.server("IP:127.0.0.1"), context)

    assert isinstance(error, OSError)
    assert "certificate verify failed" in str(error)


async def test_a_wrong_host_name_is_refused(authority: Authority) -> None:
    error = await refused(authority.server("DNS:carrier.example"), tls_context(ca=authority.pem))

    assert "IP address mismatch" in str(error)


@pytest.mark.parametrize("name", ["IP:127.0.0.1", "DNS:carrier.example"])
async def test_without_verifying_anybody_is_let_in(authority: Authority, name: str) -> None:
    await say_and_hear(authority.server(name), tls_context(verify=False))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_an_old_tls_is_refused(authority: Authority) -> None:
    server = authority.server("IP:127.0.0.1")
    server.minimum_version, server.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
    server.set_ciphers("DEFAULT@SECLEVEL=0")
    lax = tls_context(verify=False)
    lax.minimum_version = ssl.TLSVersion.TLSv1_1
    lax.set_ciphers("DEFAULT@SECLEVEL=0")

    await say_and_hear(server, lax)  # so it is the version that is refused
    async with listening(Carrier(), tls=server) as port:
        with pytest.raises(OSError):
            await Client.bind(where(port, tls=tls_context(verify=False)), Customer())


@pytest.mark.parametrize(
    "text",
    ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ğ", "\0", "\ud800"],
)
@pytest.mark.parametrize("verify", [True, False])
def test_authorities_that_are_none(text: str, verify: bool) -> None:
    with pytest.raises(ValueError, match=r"no certificates in PEM: give the whole text"):
        tls_context(verify=verify, ca=text)


def test_a_key_is_no_authority(authority: Authority) -> None:
    with pytest.raises(ValueError, match="no certificates in PEM"):
        tls_context(ca=(authority.home / "ca.key").read_text())


async def test_a_server_without_tls_and_a_client_with_it() -> None:
    customer = Customer()
    async with listening(Carrier()) as port, asyncio.timeout(5):
        with pytest.raises(OSError):
            await Client.bind(where(port, tls=tls_context(verify=False)), customer)

    assert customer.losses == []


async def test_a_server_that_says_nothing_and_a_client_with_tls() -> None:
    async with speaking(asyncio.Protocol) as port, asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await Client.bind(where(port, tls=tls_context(verify=False), connect_seconds=0.05), Customer())


async def test_a_server_with_tls_and_a_client_without_it(authority: Authority) -> None:
    customer, carrier = Customer(), Carrier()
    async with listening(carrier, tls=authority.server("IP:127.0.0.1")) as port, asyncio.timeout(5):
        with pytest.raises(OSError):
            await Client.bind(where(port), customer)

    assert (carrier.peers, customer.losses) == ([], [])


async def test_who_says_nothing_to_a_server_with_tls_has_to_go(authority: Authority) -> None:
    tls = authority.server("IP:127.0.0.1")
    async with listening(Carrier(), tls=tls, bind_seconds=0.05) as port, connected(port) as (reader, _):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)


async def test_the_end_under_tls_is_told_on_both_sides(authority: Authority) -> None:
    customer, carrier = Customer(), Carrier(submit_status=None)
    tls = tls_context(ca=authority.pem)
    async with bound(customer, carrier, {"tls": authority.server("IP:127.0.0.1")}, tls=tls) as client:
        client.submit(SubmitSm(), "token")
        await until(lambda: bool(carrier.requests), "the submit")
        carrier.peers[0].abort()
        await until(lambda: bool(customer.losses and carrier.losses), "both ends")

    [(unanswered, _)] = customer.losses
    assert unanswered == ["token"]


@pytest.mark.slow
async def test_a_peer_that_reads_no_more_is_dropped_under_tls_too(authority: Authority) -> None:
    customer, carrier = Customer(), Carrier()
    tls = tls_context(ca=authority.pem)
    async with bound(customer, carrier, {"tls": authority.server("IP:127.0.0.1")}, tls=tls) as client:
        transport = carrier.peers[0]._transport
        assert transport
        transport.pause_reading()
        client.close()
        await until(lambda: bool(customer.losses), "the end")
        transport.abort()


async def test_a_thousand_messages_under_tls(authority: Authority) -> None:
    customer, carrier = Customer(), Carrier()
    tls = tls_context(ca=authority.pem)
    async with bound(customer, carrier, {"tls": authority.server("IP:127.0.0.1")}, tls=tls) as client:
        n = 0
        while len(customer.answers) < 1000:
            while client.free and n < 1000:
                client.submit(SubmitSm(short_message=b"%d" % n), n)
                n += 1
            await asyncio.sleep(0)

    assert [answer.token for answer in customer.answers] == list(range(1000))


async def test_a_pair_and_a_simulated_carrier_under_tls(authority: Authority) -> None:
    simulator = Simulator(SimulatorOptions(delay_ms=1, tls=authority.server("IP:127.0.0.1")))
    port, customer = await simulator.start(), Customer()
    pair = await bind(where(port, tls=tls_context(ca=authority.pem)), customer, pair=True)
    pair.submit(SubmitSm(destination_addr="905551112233", registered_delivery=1), "token")
    await until(lambda: bool(customer.deliveries), "the receipt")
    pair.acknowledge([customer.deliveries[0].sequence])
    await until(lambda: simulator.counters.acknowledged == 1, "its acknowledgement")
    await pair.unbind(1)
    await simulator.stop()

    assert simulator.counters.connections_max == 2
