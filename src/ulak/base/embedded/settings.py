"""The configuration of an embedded server, written anew at every start.

In: the size of the machine and who may connect. Out: three files in the cluster and a few command-line options.
`postgresql.conf` includes `ulak.conf` and is then the operator's: what stands below the include wins. What
keeps the server private goes on the command line, where no file can change it.

Nothing a customer wrote may reach the log: statements are never logged, nor parameters, nor the details of
errors, which quote values.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ulak.base.embedded.place import PORT, Owner, Place

SUPERUSER: Final = "postgres"
ROLE: Final = "ulak"  # Ulak's own role and database: an owner, not a superuser
LOG_BYTES_MAX: Final = 32 * 1024 * 1024  # of each of the seven files
_MIB: Final = 1024 * 1024

_FIXED: Final[Mapping[str, str]] = {
    "max_connections": "100",
    # one query takes one core at most, and nothing of /dev/shm, which containers keep at 64 MB
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    "work_mem": "8MB",
    # what is acknowledged is on the disk
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "pglz",  # the wheel is built without lz4
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # queue rows and messages change soon after they are written: clean up in small, frequent bites
    "autovacuum_naptime": "15s",
    "autovacuum_max_workers": "2",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "1000",
    # one file a weekday, written over a week later
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_line_prefix": "%m [%p] ",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "iso, ymd",
}

_POSTGRESQL_CONF: Final = """\
# This cluster is Ulak's. ulak.conf is written anew at every start; settings of your own go below the next line.
include 'ulak.conf'
"""


def private_options(place: Place) -> list[str]:
    """Options for `postgres` that make the server reachable through its socket only, and recognisable."""
    settings = {
        "cluster_name": place.name,
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(place.sockets),
        "unix_socket_permissions": "0700",
        "update_process_title": "on",  # orphans are known by it
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def write(place: Place, wheel_libraries: Path, extra: Mapping[str, str]) -> None:
    """Write the configuration into the cluster; `extra` wins over everything in `ulak.conf`."""
    settings = {**_for_machine(_memory_bytes()), **_FIXED, **_preloads(wheel_libraries), **extra}
    lines = "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())
    put(
        place.cluster / "ulak.conf",
        f"# Written by Ulak at every start: changes here are lost.\n{lines}",
        place.owner,
    )
    put(
        place.cluster / "pg_hba.conf",
        "# Written by Ulak at every start.\nlocal all all peer map=ulak\n",
        place.owner,
    )
    put(place.cluster / "pg_ident.conf", _identities(place.owner), place.owner)


def write_first(cluster: Path, owner: Owner) -> None:
    """The part that is written once, when the cluster is made."""
    put(cluster / "postgresql.conf", _POSTGRESQL_CONF, owner)


def put(path: Path, text: str, owner: Owner) -> None:
    """Replace a file of the cluster whole. The directory is another user's, so root follows no link in there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".ulak-")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.uid, owner.gid)
    Path(name).replace(path)


def _identities(owner: Owner) -> str:
    """Who may be whom. `peer` asks the kernel, so even an opened socket directory would let nobody else in."""
    users = sorted({owner.name, "root"})
    rows = "".join(f'ulak "{user}" {role}\n' for user in users for role in (ROLE, SUPERUSER))
    return f"# Written by Ulak at every start.\n{rows}"


def _preloads(libraries: Path) -> dict[str, str]:
    if not (libraries / "pg_stat_statements.so").exists():
        return {}
    return {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "off"}


def _for_machine(memory_bytes: int) -> dict[str, str]:
    """An eighth of the memory as PostgreSQL's own cache, up to 512 MB; the rest serves as the system's."""
    mib = memory_bytes // _MIB
    return {
        "shared_buffers": f"{max(32, min(512, mib // 8))}MB",
        "effective_cache_size": f"{max(64, mib // 2)}MB",
        "maintenance_work_mem": f"{max(16, min(128, mib // 16))}MB",
    }


def _memory_bytes() -> int:
    """What this machine has, or what its container may use of it."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdecimal() else physical


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
