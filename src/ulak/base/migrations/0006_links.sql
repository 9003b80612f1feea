-- What else there is to say of a carrier: how to bind to it, what its answers mean, which headers it knows.
ALTER TABLE carriers
    ADD COLUMN system_type text NOT NULL DEFAULT '',
    ADD COLUMN bind        text NOT NULL DEFAULT 'transceiver' CHECK (bind IN ('transceiver', 'pair')),
    ADD COLUMN connections smallint NOT NULL DEFAULT 1 CHECK (connections BETWEEN 1 AND 32),
    ADD COLUMN tls         text NOT NULL DEFAULT 'off' CHECK (tls IN ('off', 'verified', 'unverified')),
    ADD COLUMN tls_ca      text NOT NULL DEFAULT '',       -- PEM; empty: whom the system trusts
    ADD COLUMN statuses    text NOT NULL DEFAULT '',       -- what its answers mean, where not the usual (rules/outcome.py)
    ADD COLUMN headers     text NOT NULL DEFAULT 'any' CHECK (headers IN ('any', 'approved'));

-- Sender headers that a carrier has registered.
CREATE TABLE approvals (
    carrier_id integer NOT NULL REFERENCES carriers,
    header     text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier_id, header)
);

-- How each connection of each process stands, told anew every other second. Worth nothing after a crash.
CREATE UNLOGGED TABLE links (
    carrier_id      integer NOT NULL,
    process         uuid NOT NULL,
    number          smallint NOT NULL,                     -- which of the carrier's connections
    state           text NOT NULL CHECK (state IN ('connecting', 'bound', 'refused', 'unreachable', 'lost')),
    reason          text,
    since           timestamptz(3) NOT NULL,
    throttled_since timestamptz(3),
    seen_at         timestamptz(3) NOT NULL,
    PRIMARY KEY (carrier_id, process, number)
) WITH (fillfactor = 50);

-- Until when each carrier's submits a second are given away: one bucket for all its connections, wherever they are.
CREATE UNLOGGED TABLE buckets (
    carrier_id integer PRIMARY KEY,
    next_at    timestamptz NOT NULL
) WITH (fillfactor = 50);
