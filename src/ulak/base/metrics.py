"""What is counted while the server runs, in the Prometheus form, for `/metrics`.

Every metric of the platform is named here, so that this file is the list: first what each process counts in its own
memory (`edge.siblings` puts the processes side by side, with a label `process`), then what is read from the database
when somebody asks (`admin.gauges`). Nothing that names a customer, a number or a text is ever a label; a carrier is its
id, and has its name in `ulak_carrier_info`.
"""

from typing import Final, NamedTuple

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody reads

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# counted in each process

REQUESTS: Final = Counter("ulak_requests_total", "HTTP requests answered", ["route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "ulak_request_seconds", "Time to answer an HTTP request", ["route"], buckets=_SECONDS
)
ACCEPTED: Final = Counter("ulak_messages_accepted_total", "Messages accepted and charged")
CHARGED: Final = Counter("ulak_charged_total", "What accepted messages were charged, in the currency's units")
ORDERS_TOGETHER: Final = Histogram(
    "ulak_orders_together", "Requests accepted in one transaction", buckets=_SIZES
)
SUBMITTED: Final = Counter("ulak_submits_total", "submit_sm answered by a carrier", ["carrier", "status"])
SUBMIT_SECONDS: Final = Histogram(
    "ulak_submit_seconds", "Time a carrier took to answer a submit_sm", ["carrier"], buckets=_SECONDS
)
UNSURE: Final = Counter("ulak_unsure_total", "Submits that never got their answer", ["carrier"])
RECEIPTS: Final = Counter(
    "ulak_receipts_total", "Receipts, each once, by what they did when they came", ["carrier", "result"]
)
RECEIPTS_EARLY: Final = Counter(
    "ulak_receipts_early_total", "Unmatched receipts whose message became known after all", ["carrier"]
)
ENDED: Final = Counter("ulak_messages_ended_total", "Messages ended", ["status"])
REFUNDED: Final = Counter("ulak_messages_refunded_total", "Messages refunded")
GIVEN_BACK: Final = Counter("ulak_refunded_total", "What messages were refunded, in the currency's units")
OUTCOMES_TOGETHER: Final = Histogram(
    "ulak_outcomes_together", "Answers and receipts written in one transaction", buckets=_SIZES
)
WINDOW: Final = Gauge("ulak_window_in_use", "Submits without an answer", ["carrier"])
LINK_UP: Final = Gauge("ulak_link_up", "Connections of this process that are bound", ["carrier"])


# read from the database when somebody asks


class Read(NamedTuple):
    """A gauge that is read, not kept: its name, what it says, and its labels."""

    name: str
    says: str
    labels: tuple[str, ...] = ()


DATABASE_UP: Final = Read("ulak_database_up", "1 when the database told all of what follows in time")
MIGRATIONS_PENDING: Final = Read("ulak_migrations_pending", "Migrations that the database does not have yet")
DATABASE_BYTES: Final = Read("ulak_database_bytes", "Size of the database")
CONNECTIONS: Final = Read(
    "ulak_database_connections", "Connections to the PostgreSQL server, whoever has them"
)
CONNECTIONS_MAX: Final = Read("ulak_database_connections_max", "Connections that it takes at most")
CARRIER: Final = Read("ulak_carrier_info", "An active carrier and its name", ("carrier", "name"))
LINKS: Final = Read("ulak_links", "Connections to a carrier that are kept, in all processes", ("carrier",))
LINKS_BOUND: Final = Read("ulak_links_bound", "Those of them that are bound", ("carrier",))
THROTTLED: Final = Read(
    "ulak_carrier_throttled_seconds", "For how long a carrier has taken less than it could", ("carrier",)
)
QUEUE: Final = Read("ulak_queue_messages", "Messages that wait for a carrier", ("carrier",))
QUEUE_SECONDS: Final = Read("ulak_queue_oldest_seconds", "How long the oldest of them has", ("carrier",))
UNMATCHED: Final = Read("ulak_receipts_unmatched", "Receipts that wait for their message", ("carrier",))
SENDINGS_OPEN: Final = Read("ulak_sendings_open", "Sendings that are not completed, counted up to 100000")
CREDITS_LOW: Final = Read("ulak_credits_low", "Credits that hold less than ULAK_LOW_BALANCE")
SWEPT: Final = Read("ulak_swept_timestamp_seconds", "When a courier was seen last")
AUDITED: Final = Read(
    "ulak_audit_timestamp_seconds", "When `ulak audit` came to this last: clean or different", ("result",)
)
DISK_FREE: Final = Read("ulak_disk_free_bytes", "Free on the disk of ULAK_DATA_DIR, where that is in use")
DISK: Final = Read("ulak_disk_bytes", "Size of that disk")
PROCESSES: Final = Read("ulak_processes", "Processes of this `ulak serve` that told their metrics", ())

READ: Final = (
    *(
        DATABASE_UP,
        MIGRATIONS_PENDING,
        DATABASE_BYTES,
        CONNECTIONS,
        CONNECTIONS_MAX,
        CARRIER,
        LINKS,
        LINKS_BOUND,
    ),
    *(
        THROTTLED,
        QUEUE,
        QUEUE_SECONDS,
        UNMATCHED,
        SENDINGS_OPEN,
        CREDITS_LOW,
        SWEPT,
        AUDITED,
        DISK_FREE,
        DISK,
    ),
    PROCESSES,
)
