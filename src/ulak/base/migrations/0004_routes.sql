-- A service's way to its carriers, in order (rules/route.py). The first one's style is what segments are counted in.
CREATE TABLE routes (
    service_id uuid NOT NULL REFERENCES services,
    position   smallint NOT NULL,
    carrier_id integer NOT NULL REFERENCES carriers,
    prefixes   text[] NOT NULL DEFAULT '{}',            -- numbers that begin so; none: every number
    weight     integer NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 1000),  -- 0: only when those before it fail
    PRIMARY KEY (service_id, position)
);
INSERT INTO routes (service_id, position, carrier_id) SELECT id, 0, carrier_id FROM services;
ALTER TABLE services
    DROP COLUMN carrier_id,
    -- how long a carrier may be down, or throttle, before its messages go to the next one
    ADD COLUMN fallback_seconds integer NOT NULL DEFAULT 60 CHECK (fallback_seconds > 0);
ALTER TABLE sendings DROP COLUMN carrier_id;

-- A run whose messages are not all of a stretch names them; NULL: every position from first to end.
ALTER TABLE batches ADD COLUMN positions integer[];

-- Where a message goes after a carrier turned it away: a run of any other carrier that names it does so in vain.
ALTER TABLE messages ADD COLUMN routed_to integer;
