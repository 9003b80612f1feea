"""One link: a bind to a carrier that is kept up, fed from the queue, and listened to.

The link leases runs while it is bound and has room, keeps its window full, hears answers and receipts, and has
them written down by its recorder. When the connection dies, what was in flight is unsure and is handed to
`flow.dispatch.give_back` with everything else that was leased; then it binds again, later each time. A carrier with
several connections has as many links, which share its pace (`trunk`).
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import structlog

import smpp.receipt
from smpp.backoff import Backoff
from smpp.client import Answer, BindRefused, ClientOptions, Delivery, tls_context
from smpp.pair import Bind, bind
from smpp.pdu import Status, words
from ulak.admin.carriers import password_of
from ulak.base import metrics
from ulak.base.config import Config
from ulak.base.db import COLLISION, UNREACHABLE, Database
from ulak.edge.carrier import translate
from ulak.edge.carrier.feed import Feed
from ulak.edge.carrier.outbox import Item, Outbox
from ulak.edge.carrier.pace import Pace
from ulak.edge.carrier.recorder import Recorder
from ulak.edge.carrier.share import Share
from ulak.flow import dispatch, pulse, traced
from ulak.flow.accept import now
from ulak.flow.pulse import What
from ulak.rules import ids, outcome
from ulak.rules.network import parse_source
from ulak.store import links
from ulak.store.carriers import Carrier

POLL_SECONDS: Final = 1.0
RETRIES_MAX: Final = 5
RETRIES_BEFORE_NEXT: Final = 2
"""Where another carrier could take it, this one is not asked as often."""
RETRY_SECONDS: Final = 1.0
#: What refuses a bind for good, until somebody changes something here or there: asked again with long pauses.
REFUSED_FOR_GOOD: Final = frozenset({Status.RBINDFAIL, Status.RINVPASWD, Status.RINVSYSID})
REFUSED_SECONDS_FIRST: Final = 10.0
REFUSED_TIMES_LONGER: Final = 5

_log = structlog.get_logger(__name__)


class Link:
    """One of a carrier's connections, the one of this number. `run` it in a task; `wake` it when there is work; `stop`
    it and await the task. `state`, `reason` and `since` say how it stands."""

    def __init__(
        self, db: Database, carrier: Carrier, config: Config, *, number: int, pace: Pace, share: Share
    ) -> None:
        self._db = db
        self.carrier = carrier
        self.number = number
        self._config = config
        self._clock = asyncio.get_running_loop().time
        self._pace = pace
        self._share = share
        self._recorder = Recorder(
            db,
            carrier.id,
            gather_seconds=config.flush_ms / 1000,
            submits_max=max(1, carrier.window_max // 2),
            written=self._written,
        )
        self._outbox = Outbox(carrier.id, carrier.style, self._recorder.outcomes)
        self._feed = Feed(db, carrier, config, self._outbox, self._recorder, pace=pace, share=share)
        self._client: Bind | None = None
        self._lost = asyncio.Event()
        self._lost_why = ""
        self._unsure: list[Item] = []
        self._stopping = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._took_something = False
        self._in_window = 0
        self._label = str(carrier.id)
        self._window = metrics.WINDOW.labels(self._label)
        self._seconds = metrics.SUBMIT_SECONDS.labels(self._label)
        self._refs = carrier.refs
        self._network_from = parse_source(carrier.network_from)
        self._meanings = outcome.parse_meanings(carrier.statuses)
        self.state: links.State = "connecting"
        self.reason: str | None = None
        self.since = now()

    # from outside

    def wake(self) -> None:
        """There may be work in the queue."""
        self._feed.wake()

    def stop(self) -> None:
        """Send no more, wait for what is in flight, give the rest back; then `run` returns."""
        self._stopping.set()
        self._feed.wake()

    async def run(self) -> None:
        """Keep the link up until `stop`."""
        name = f"{self.carrier.name}-{self.number}"
        recorder = asyncio.create_task(self._recorder.run(), name=f"recorder-{name}")
        keeping = asyncio.create_task(self._keep_up(), name=f"link-{name}")
        try:
            await asyncio.wait({recorder, keeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (recorder, keeping):
                if task.done():
                    task.result()
        finally:
            for task in (keeping, recorder):
                task.cancel()
            try:
                await asyncio.gather(keeping, recorder, return_exceptions=True)
            finally:
                if self._client:  # else it would go on taking receipts, which nobody writes down
                    self._client.close()

    # the connection

    async def _keep_up(self) -> None:
        longest = self._config.reconnect_seconds_max
        trouble = Backoff(max_seconds=longest)
        refused = Backoff(min(REFUSED_SECONDS_FIRST, longest), REFUSED_TIMES_LONGER * longest)
        while not self._stopping.is_set():
            pause = trouble
            try:
                await self._bind()
            except BindRefused as refusal:
                pause = refused if refusal.status in REFUSED_FOR_GOOD else trouble
                self._stands("refused", str(refusal))
                _log.error("bind_refused", carrier=self.carrier.name, reason=self.reason)
            except (OSError, TimeoutError, ValueError) as error:
                self._stands("unreachable", _why(error))
                _log.warning("carrier_unreachable", carrier=self.carrier.name, error=self.reason)
            else:
                await self._bound()
                if self._took_something:  # else it may be the bind itself that the carrier objects to
                    trouble.reset()
                    refused.reset()
            if not self._stopping.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause.next()):
                        await self._stopping.wait()

    def _stands(self, state: links.State, reason: str | None = None) -> None:
        """Remember how it stands; the time is that of the change between up and not."""
        if (state == "bound") != (self.state == "bound"):
            self.since = now()
        self.state, self.reason = state, reason

    async def _bind(self) -> None:
        its = self.carrier
        self._lost = asyncio.Event()
        self._took_something = False
        verify = its.tls == "verified"
        options = ClientOptions(
            host=its.host,
            port=its.port,
            system_id=its.system_id,
            password=password_of(its, self._db.secrets),
            system_type=its.system_type,
            window_max=its.window_max,
            enquire_seconds=self._config.enquire_seconds,
            response_seconds=self._config.response_seconds,
            tls=None if its.tls == "off" else tls_context(verify=verify, ca=its.tls_ca or None),
        )
        self._client = await bind(options, self, pair=its.bind == "pair")
        self._stands("bound")
        _log.info("bound", carrier=its.name, connection=self.number)
        metrics.LINK_UP.labels(self._label).inc()

    async def _bound(self) -> None:
        """While the connection lasts: feed it and hold on to the leases. Afterwards: give back what is left."""
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._feed.run(self.pump)),
            asyncio.create_task(self._feed.hold_on()),
        ]
        ends = [asyncio.create_task(event.wait()) for event in (self._lost, self._stopping)]
        try:
            await asyncio.wait([*tasks, *ends], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            tasks[0].cancel()  # lease no more; what is in flight may still be answered
            if not self._lost.is_set():
                await self._drain()
        finally:
            for task in (*tasks, *ends):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            metrics.LINK_UP.labels(self._label).dec()
            self._count_window(0)
        self._stands("lost", self._lost_why)
        await self._give_back()

    async def _drain(self) -> None:
        """Wait for the answers to what is in flight, acknowledge the receipts that are here, then take leave."""
        assert self._client
        if self._timer:
            self._timer.cancel()
            self._timer = None
        patience = self._config.stop_seconds / 4
        await self._client.drain(patience)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._recorder.flush()
        await asyncio.sleep(0)  # the acknowledgements are written at the end of a turn
        await self._client.unbind(0)

    async def _give_back(self) -> None:
        """Everything leased goes back to the queue, after all that is known of it is written."""
        self._client = None
        self._outbox.tell_troubles()
        await self._recorder.flush()
        doubtful = {id(item): item for item in (*self._unsure, *self._outbox.begun)}
        unsure = [item.unsure for item in doubtful.values() if not item.over]
        self._unsure.clear()
        runs = [(run.id, run.first_position) for run in self._outbox.clear()]
        metrics.UNSURE.labels(self._label).inc(len(unsure))
        pulse.count(What.UNSURE, len(unsure), carrier_id=self.carrier.id)
        if unsure:
            _log.warning("unsure", carrier=self.carrier.name, n=len(unsure))
        while runs or unsure:
            try:
                return await dispatch.give_back(
                    self._db,
                    self.carrier.id,
                    self._feed.lease,
                    runs,
                    unsure,
                    now(),
                    why=f"no answer came: {self._lost_why}",
                    attempts_max=self._config.attempts_max,
                )
            except (*UNREACHABLE, *COLLISION):
                await asyncio.sleep(POLL_SECONDS)

    # the wire

    def pump(self) -> None:
        """Submit as long as the window, the pace and the recorder allow.

        An answered submit keeps its place in the window until it is written down: so no more than a window
        goes out twice, whenever this process dies.
        """
        client, at, moved = self._client, datetime.now(UTC), False
        at_ms = int(at.timestamp() * 1000)
        while client and client.free > self._recorder.unwritten and not self._held_back():
            entry = self._outbox.next()
            if entry is None:
                break
            item, part = entry
            if item.expired(at):
                self._outbox.expired(item)
                moved = True
                continue
            if not self._may_go():
                self._outbox.not_gone(item, part)
                break
            client.submit(translate.submit_sm(item, part), entry)
            self._count_gone(item, part, at_ms)
            self._outbox.gone(item, part, at)
            moved = True
        if moved:
            self._feed.look()
        if client:
            self._count_window(client.outstanding)

    def _count_window(self, n: int) -> None:
        """Count how many submits wait for their answer; those of the carrier's other connections do too."""
        if n != self._in_window:
            self._window.inc(n - self._in_window)
            self._in_window = n

    def _count_gone(self, item: Item, part: int, at_ms: int) -> None:
        """Count a part that goes out at this Unix millisecond, and its message when it is the first of it."""
        pulse.count(What.SUBMITS, carrier_id=self.carrier.id)
        if part == 0 and item.sent_at[0] is None:
            waited = at_ms - ids.milliseconds_of(item.run.sending_id)
            pulse.count(What.GONE, carrier_id=self.carrier.id)
            pulse.count(What.GONE_MS, max(0, waited), carrier_id=self.carrier.id)

    def _may_go(self) -> bool:
        """Whether the operator's limit and the carrier's pace let one more go; if not, it will be asked again."""
        if not self._share.take():
            return False
        wait = self._pace.take(self._clock())
        if wait:
            self._share.put_back()
            self._pump_in(wait)
        return not wait

    def _written(self) -> None:
        """The recorder has room again, and so may the window."""
        self._feed.wake()
        self.pump()

    def _held_back(self) -> bool:
        return self._recorder.clogged or self._stopping.is_set() or not self._feed.holds

    def _pump_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._pump_now)

    def _pump_now(self) -> None:
        self._timer = None
        self.pump()

    def answered(self, answers: list[Answer]) -> None:
        """`smpp`: the carrier has answered submits."""
        if taken := sum(answer.status == 0 for answer in answers):
            self._pace.taken(self._clock(), taken)  # before a throttling answer among them asks how many
            self._took_something = True
            metrics.SUBMITTED.labels(self._label, "0x00").inc(taken)
            pulse.count(What.ANSWERS, taken, carrier_id=self.carrier.id, label="0x00")
        self._count_time(answers)
        for answer in answers:
            item, part = cast(tuple[Item, int], answer.token)
            if answer.status == 0:
                answered_id = translate.ref(answer.message_id)
                self._outbox.taken(item, part, self._refs.of_answer(answered_id), answered_id)
            else:
                self._not_taken(item, part, answer.status)
            if item.over and item.in_flight == 0:
                self._trace(item, answer.status)
        self.pump()

    def _trace(self, item: Item, status: int) -> None:
        """What this carrier had to do with a message is over."""
        started = next((at for at in item.sent_at if at), None)
        if started:
            traced.submitted(item.key, self.carrier.id, started, status=status, n_parts=len(item.parts))

    def _count_time(self, answers: list[Answer]) -> None:
        """Count how long the carrier took for these answers."""
        at, took = datetime.now(UTC), timedelta()
        for answer in answers:
            item, part = cast(tuple[Item, int], answer.token)
            its = at - (item.sent_at[part] or at)
            self._seconds.observe(its.total_seconds())
            took += its
        pulse.count(What.ANSWER_MS, max(0, took // timedelta(milliseconds=1)), carrier_id=self.carrier.id)

    def _not_taken(self, item: Item, part: int, status: int) -> None:
        label, meaning = translate.label(status, self._meanings), self._meanings.get(status)
        status = translate.status(status)
        metrics.SUBMITTED.labels(self._label, label).inc()
        pulse.count(What.ANSWERS, carrier_id=self.carrier.id, label=label)
        retries_max = RETRIES_BEFORE_NEXT if item.run.others else RETRIES_MAX
        match meaning or outcome.answer_for(status):
            case outcome.Answer.SLOW_DOWN:
                self._pace.throttled(self._clock())
                self._outbox.not_taken(item, "throttled", status)
                self._outbox.not_gone(item, part)
            case outcome.Answer.RETRY if item.retries < retries_max:
                self._outbox.not_taken(item, "retried", status)
                self._later(item, part)
            case outcome.Answer.REBIND:
                self._outbox.not_taken(item, "retried", status)
                self._outbox.not_gone(item, part)
                self._lost_why = f"the carrier answered {words(status)}"
                if self._client:
                    self._client.close()
            case outcome.Answer.REFUSE:
                self._say("refused", item, status)
                self._outbox.refused(item, status)
            case _:
                self._say("turned_away", item, status)
                self._outbox.turned_away(item, status)

    def _say(self, event: str, item: Item, status: int) -> None:
        """Log what the carrier answered to a message."""
        its = item.run.sending_id, item.due.position
        _log.info(event, carrier=self.carrier.name, status=f"0x{status:02X}", message=ids.message_id(*its))

    def _later(self, item: Item, part: int) -> None:
        """Try a part again after a pause that doubles each time."""
        delay = RETRY_SECONDS * 2**item.retries
        item.retries += 1

        def again() -> None:
            self._outbox.not_gone(item, part)
            self.pump()

        asyncio.get_running_loop().call_later(delay, again)

    def delivered(self, deliveries: list[Delivery]) -> None:
        """`smpp`: the carrier brings receipts; they are acknowledged once they are written."""
        client = self._client
        parsed = [smpp.receipt.parse(delivery.pdu, self._network_from) for delivery in deliveries]
        receipts = [translate.receipt(one, self._refs) for one in parsed if one is not None]
        metrics.RECEIPTS.labels(self._label, "other").inc(len(deliveries) - len(receipts))
        sequences = [delivery.sequence for delivery in deliveries]

        def acknowledge() -> None:
            if client and client is self._client:
                client.acknowledge(sequences)

        self._recorder.receipts(receipts, acknowledge)

    def lost(self, unanswered: list[object], reason: str) -> None:
        """`smpp`: the connection is over; what was in flight is unsure."""
        if unanswered or not self._stopping.is_set():
            _log.warning("link_lost", carrier=self.carrier.name, reason=reason, unanswered=len(unanswered))
        self._lost_why = reason if reason != "closed" else self._lost_why or reason
        items = {id(item): item for item, _ in cast(list[tuple[Item, int]], unanswered)}
        self._unsure = list(items.values())
        self._lost.set()


def _why(error: Exception) -> str:
    """Why a carrier cannot be reached, in words."""
    if isinstance(error, TimeoutError) and not error.args:
        return "no answer in time"
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error) or type(error).__name__).split())
