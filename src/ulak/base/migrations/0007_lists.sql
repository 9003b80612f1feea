-- Lists of any length (docs/decisions/0011). A sending's id begins with the millisecond of its created_at, so the primary
-- key is the order of the list and its dates are ranges of ids; an index by created_at of its own is not needed.
UPDATE sendings
   SET created_at = to_timestamp(('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint / 1000.0);
DROP INDEX sendings_newest;

-- What is open is few, and counted as it is. So is what came from the panel, among what programs send.
CREATE INDEX sendings_unfinished ON sendings (tenant_id, id) WHERE completed_at IS NULL;
CREATE INDEX sendings_panel ON sendings (tenant_id, id) WHERE source = 'panel';

-- How many sendings were accepted in each minute, and in each day (of UTC): written with them (store/sendings.py).
CREATE TABLE tallies (
    tenant_id uuid NOT NULL,
    minutes   smallint NOT NULL CHECK (minutes IN (1, 1440)),  -- how long the stretch is
    starts    timestamptz(0) NOT NULL,
    source    text NOT NULL CHECK (source IN ('api', 'panel')),
    n         integer NOT NULL CHECK (n > 0),
    PRIMARY KEY (tenant_id, minutes, starts, source)
) WITH (fillfactor = 50);
INSERT INTO tallies (tenant_id, minutes, starts, source, n)
SELECT s.tenant_id, u.minutes, date_trunc(u.unit, s.created_at, 'UTC'), s.source, count(*)
  FROM sendings s CROSS JOIN (VALUES (1, 'minute'), (1440, 'day')) u(minutes, unit)
 GROUP BY 1, 2, 3, 4;
