"""The installation's secret: what may be one, what opens where, and a file that nobody else reads."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ulak.base import secrets
from ulak.base.config import Config, ConfigError
from ulak.base.secrets import ID_BYTES, Secrets, SecretsError, generated, key_of, parsed

OLD, NEW, OTHER = (parsed(generated(), "here")[0] for _ in range(3))
PLACE = "carriers.password/1"


def test_what_was_sealed_opens_at_its_place_and_nowhere_else() -> None:
    ours = Secrets([NEW])
    sealed = ours.seal(b"hunter2", PLACE)

    assert ours.open(sealed, PLACE) == b"hunter2"
    assert b"hunter2" not in sealed
    assert sealed != ours.seal(b"hunter2", PLACE)
    for place in ("carriers.password/2", "second_factors.secret/1", ""):
        with pytest.raises(SecretsError):
            ours.open(sealed, place)


def test_what_was_changed_or_cut_off_does_not_open() -> None:
    ours = Secrets([NEW])
    sealed = ours.seal(b"hunter2", PLACE)

    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    cut = [sealed[:at] for at in range(len(sealed))]
    for wrong in (*changed, *cut, sealed + b"\0"):
        with pytest.raises(SecretsError):
            ours.open(wrong, PLACE)


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both, new = Secrets([OLD]), Secrets([NEW, OLD]), Secrets([NEW])
    sealed = old.seal(b"x", PLACE)

    assert both.open(sealed, PLACE) == b"x"
    assert key_of(both.seal(b"x", PLACE)) == both.first == new.first != old.first == key_of(sealed)
    with pytest.raises(SecretsError, match="not listed"):
        new.open(sealed, PLACE)


def test_digests_are_of_one_key_each_and_of_no_other_use() -> None:
    old, both = Secrets([OLD]), Secrets([NEW, OLD])

    assert both.digest("key") == Secrets([NEW]).digest("key") != old.digest("key")
    assert both.digest_with(old.first, "key") == old.digest("key")
    assert old.digest_with(both.first, "key") is None
    assert len(old.first) == ID_BYTES


@pytest.mark.parametrize("form", [bytes.hex, lambda raw: generated(), lambda raw: raw.hex().upper()])
def test_what_a_secret_key_may_be(form: object) -> None:
    assert len(parsed(f" {form(NEW)} ,\n{form(OLD)},", "here")) == 2  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "secret",
        "ab" * 31,
        "c2hvcnQ=",
        "ü" * 64,
        "00" * 32,
        "ab" * 32,
        "eFUse1bw6a7x/+bxY2CYG955gAzPRlpI2V",
        "*" * 44,
    ],
)
def test_what_a_secret_key_may_not_be(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^here .*\.$"):
        parsed(text, "here")


def test_the_same_key_twice_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="twice"):
        parsed(f"{OLD.hex()},{OLD.hex().upper()}", "here")


def test_without_a_variable_a_file_is_made_once_that_only_its_owner_reads(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "data")
    assert secrets.given(config) is None

    with ThreadPoolExecutor(8) as hands:  # as many processes may start at once
        made = {found.first for found in hands.map(lambda _: secrets.made(config), range(8))}

    assert len(made) == 1
    assert os.listdir(tmp_path / "data") == ["secret.key"]
    assert (tmp_path / "data/secret.key").stat().st_mode & 0o777 == 0o600
    assert secrets.made(Config(data_dir=tmp_path, secret_keys=NEW.hex())).first == Secrets([NEW]).first
    assert not (tmp_path / "secret.key").exists()


def test_a_file_that_everybody_reads_or_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        secrets.given(Config(data_dir=tmp_path))
    file.chmod(0o640)
    found = secrets.given(Config(data_dir=tmp_path))
    assert found
    assert found.ids == Secrets([NEW, OLD]).ids
    file.write_text("nothing")
    with pytest.raises(ConfigError, match=r"secret\.key"):
        secrets.given(Config(data_dir=tmp_path))


def test_settings_do_not_show_the_secret() -> None:
    config = Config.from_environment({"ULAK_SECRET_KEYS": NEW.hex()})

    assert NEW.hex() not in repr(config)
    assert config.shown()["secret_keys"] == "***"
