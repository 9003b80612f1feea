-- What happens each moment, counted by every process and added up here in slots of ten seconds (flow/pulse.py). Kept for
-- a day; worth nothing after a crash.
CREATE UNLOGGED TABLE pulse (
    what       text NOT NULL,
    starts     timestamptz(0) NOT NULL,                    -- of the slot
    carrier_id integer NOT NULL,                           -- 0: about no carrier
    label      text NOT NULL,                              -- which kind of it, '' where there is only one
    n          bigint NOT NULL,
    PRIMARY KEY (what, starts, carrier_id, label)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
