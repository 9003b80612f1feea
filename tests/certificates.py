"""Certificates for tests, made by the `openssl` command: signed by themselves, or by another one."""

import subprocess
from pathlib import Path
from typing import Final

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make(folder: Path, name: str, subject: str, extension: str, *signed: str) -> tuple[Path, Path]:
    """Write NAME.pem and NAME.key into the folder; returns both. `signed`: openssl's words for an authority."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    about = ("-days", "2", "-subj", subject, "-addext", extension)
    subprocess.run(
        ["openssl", "req", "-x509", *_KEY, "-keyout", str(key), "-out", str(cert), *about, *signed],
        check=True,
        capture_output=True,
    )
    return cert, key
