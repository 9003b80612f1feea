"""`ulak simulate-carrier`: what its options mean, and how it says that they mean nothing."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from smpp.client import BindRefused, Client, tls_context
from smpp.pair import Pair
from smpp.pdu import Status, SubmitSm
from tests import certificates
from tests.harness import CarrierProcess
from tests.smpp.ends import Customer, until, where
from ulak.edge.cli.main import app


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody else signed, and its key."""
    return certificates.make(tmp_path, "cert", "/CN=A carrier", "subjectAltName=IP:127.0.0.1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--answer=0xZZ", "'0xZZ' is no status"),
        ("--answer=A", "'A' is no status"),
        ("--answer=0", "'0' is no status"),
        ("--answer=0x100000000", "is no status"),
        ("--refuse-bind=-1", "'-1' is no status"),
        ("--tls-cert=/nothing", "does not exist"),
        (f"--tls-cert={__file__}", "Give --tls-cert and --tls-key together"),
        (f"--tls-cert={__file__} --tls-key={__file__}", "are no certificate with its key"),
        ("--profile=rude", "refusing"),
    ],
)
def test_wrong_usage_says_what_is_wrong(words: str, sentence: str) -> None:
    done = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["simulate-carrier", "--port=0", *words.split()])

    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())


def test_a_key_of_another_certificate_is_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", other], check=True)

    done = CliRunner().invoke(app, ["simulate-carrier", f"--tls-cert={certificate[0]}", f"--tls-key={other}"])

    assert done.exit_code == 2


@pytest.mark.slow
async def test_its_name_and_password_its_answer_and_tls(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    named: dict[str, Any] = {
        "system_id": "ulak",
        "password": "secret",
        "answer": "0x0A",
        "tls_cert": str(cert),
        "tls_key": str(key),
    }
    with CarrierProcess(**named) as carrier:
        tls, customer = tls_context(ca=cert.read_text()), Customer()
        pair = await Pair.bind(where(carrier.port, tls=tls), customer)
        pair.submit(SubmitSm(destination_addr="905551112233", registered_delivery=1), "token")
        await until(lambda: bool(customer.answers), "the answer")
        await pair.unbind(1)
        with pytest.raises(OSError):
            await Client.bind(where(carrier.port), Customer())
        counters = carrier.stop()

    assert customer.answers == [("token", Status.RINVSRCADR, "")]
    assert (counters["refused"], counters["connections_max"], counters["submits_per_second_max"]) == (1, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("named", "status"),
    [
        ({"refuse_bind": "13"}, Status.RBINDFAIL),
        ({"system_id": "somebody"}, Status.RINVSYSID),
        ({"password": "other"}, Status.RINVPASWD),
    ],
)
async def test_who_may_not_bind(named: dict[str, Any], status: int) -> None:
    with CarrierProcess(**named) as carrier:
        with pytest.raises(BindRefused) as refused:
            await Client.bind(where(carrier.port), Customer())
        assert carrier.stop()["binds"] == 0

    assert refused.value.status == status
