-- What a message's way was like (admin/history.py). The usual way leaves its submits and receipts; whatever else
-- happened to a message is an incident, written with the outcome it led to.
CREATE TABLE incidents (
    tenant_id  uuid NOT NULL,
    sending_id uuid NOT NULL,
    position   integer NOT NULL,
    carrier_id integer NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('throttled', 'retried', 'refused', 'unsure', 'moved')),
    status     integer,                                    -- the command_status that was answered
    n          integer NOT NULL DEFAULT 1 CHECK (n > 0),   -- how often
    moved_to   integer,                                    -- the next carrier
    reason     text,                                       -- where neither kind nor status says it
    at         timestamptz(3) NOT NULL,
    CHECK ((kind = 'moved') = (moved_to IS NOT NULL))
);
CREATE INDEX incidents_message ON incidents (tenant_id, sending_id, position);
CREATE INDEX incidents_time ON incidents USING brin (at) WITH (pages_per_range = 16, autosummarize = on);

-- Ids as the carrier wrote them, where that is not their normal form; when each part went out, and was answered.
ALTER TABLE submits RENAME COLUMN submitted_at TO answered_at;
ALTER TABLE submits
    ADD COLUMN answered_id  text,
    ADD COLUMN submitted_at timestamptz(3);
UPDATE submits SET submitted_at = answered_at;
ALTER TABLE submits ALTER COLUMN submitted_at SET NOT NULL;

-- Every receipt is kept now. Those that ended nothing are few, and found by their id; the others by their time.
DROP INDEX receipts_unmatched;
CREATE INDEX receipts_odd ON receipts (carrier_id, ref) WHERE result <> 'matched';
CREATE INDEX receipts_time ON receipts USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX submits_time ON submits USING brin (answered_at) WITH (pages_per_range = 16, autosummarize = on);
