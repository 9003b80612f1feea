"""The commands about the installation's secret: secrets generate, secrets rotate."""

import typer

from ulak.admin import vault
from ulak.base.secrets import generated
from ulak.edge.cli.session import Json, actor, answer, with_database

secrets_app = typer.Typer(no_args_is_help=True, help="The secret that seals passwords and hashes API keys.")


@secrets_app.command("generate")
def generate(json_: Json = False) -> None:
    """Make a secret key for ULAK_SECRET_KEYS. It is kept nowhere.

    Example: ulak secrets generate
    """
    made = generated()
    answer({"secretKey": made}, json_, made)


@secrets_app.command("rotate")
def rotate(json_: Json = False) -> None:
    """Seal everything with the first secret key, and say which others are still needed.

    Put the new one before the old in ULAK_SECRET_KEYS (or secret.key), restart every process, then rotate. An API key
    is hashed anew when it is next used: the old secret key must stay until this command says that nothing needs it.

    Example: ulak secrets rotate
    """
    done = with_database(lambda db: vault.rotate(db, actor()))
    answer(_shown(done), json_, _sentences(done))


def _shown(done: vault.Rotated) -> dict[str, object]:
    return {
        "first": done.first.hex(),
        "carriers": done.sealed["carriers"],
        "secondFactors": done.sealed["second_factors"],
        "keysWaiting": {id_.hex() if id_ else "sha256": n for id_, n in done.waiting.items()},
        "forgotten": [id_.hex() for id_ in done.forgotten],
    }


def _sentences(done: vault.Rotated) -> str:
    said = [
        f"Sealed with {done.first.hex()}: {done.sealed['carriers']} passwords of carriers, "
        f"{done.sealed['second_factors']} second factors."
    ]
    for id_, n in done.waiting.items():
        if id_ is None:
            said.append(f"{n} API keys are hashed without a secret key, until they are next used.")
        else:
            said.append(
                f"{n} API keys still need {id_.hex()}: keep it listed until they were used or revoked."
            )
    said += [f"Nothing needs {id_.hex()} any more." for id_ in done.forgotten]
    return "\n".join(said)
