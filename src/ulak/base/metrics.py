"""What is counted while the server runs, in the Prometheus form, for `/metrics`.

Every metric of the platform is named here, so that this file is the list. Nothing that names a customer, a
number or a text is ever a label.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS: Final = Counter("ulak_requests_total", "HTTP requests answered", ["route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "ulak_request_seconds", "Time to answer an HTTP request", ["route"], buckets=_SECONDS
)
ACCEPTED: Final = Counter("ulak_messages_accepted_total", "Messages accepted and charged")
ORDERS_TOGETHER: Final = Histogram(
    "ulak_orders_together", "Requests accepted in one transaction", buckets=_SIZES
)
SUBMITTED: Final = Counter("ulak_submits_total", "submit_sm answered by a carrier", ["carrier", "status"])
SUBMIT_SECONDS: Final = Histogram(
    "ulak_submit_seconds", "Time a carrier took to answer a submit_sm", ["carrier"], buckets=_SECONDS
)
UNSURE: Final = Counter("ulak_unsure_total", "Submits that never got their answer", ["carrier"])
RECEIPTS: Final = Counter("ulak_receipts_total", "Receipts by what they did", ["carrier", "result"])
ENDED: Final = Counter("ulak_messages_ended_total", "Messages ended", ["status"])
REFUNDED: Final = Counter("ulak_messages_refunded_total", "Messages refunded")
OUTCOMES_TOGETHER: Final = Histogram(
    "ulak_outcomes_together", "Answers and receipts written in one transaction", buckets=_SIZES
)
WINDOW: Final = Gauge("ulak_window_in_use", "Submits without an answer", ["carrier"])
LINK_UP: Final = Gauge("ulak_link_up", "1 while bound to the carrier", ["carrier"])
