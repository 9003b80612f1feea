-- The first schema. Three kinds of tables, and the difference matters:
--
--   directory   small, shared by everybody, replicable to every node: who there is and what is for sale
--   tenant      what a customer owns. tenant_id (an organization's id, or a user's id for what they do in
--               their own name) leads every primary key, so the schema can be sharded by it
--   carrier     the queue and the receipt inbox: keyed by carrier, carrying the tenant along
--
-- Tenant and carrier tables have no foreign keys and no triggers (a check per row would cost more than the
-- row, and neither survives sharding): one transaction writes what belongs together, CHECK constraints say
-- what must hold in each row, and `ulak audit` proves what must hold between rows.

CREATE TYPE message_status AS ENUM ('pending', 'waiting', 'sent', 'not_sent', 'no_signal');

-- directory ---------------------------------------------------------------------------------------------

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (username <> ''),
    email         text NOT NULL,
    password_hash text,
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at    timestamptz(3) NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username ON users (lower(username));

CREATE TABLE organizations (
    id         uuid PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive')),
    created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX organizations_name ON organizations (lower(name));

CREATE TABLE memberships (
    organization_id uuid NOT NULL REFERENCES organizations,
    user_id         uuid NOT NULL REFERENCES users,
    permissions     text[] NOT NULL,
    created_at      timestamptz(3) NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users,
    name         text NOT NULL,
    prefix       text NOT NULL,           -- the first characters, to recognise a key by; never enough to use it
    key_hash     bytea NOT NULL UNIQUE,   -- SHA-256 of 256 random bits
    allowed_ips  cidr[] NOT NULL DEFAULT '{}',  -- empty: from anywhere
    created_at   timestamptz(3) NOT NULL DEFAULT now(),
    revoked_at   timestamptz(3)
);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE carriers (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name <> ''),
    host       text NOT NULL,
    port       integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    system_id  text NOT NULL,
    password   text NOT NULL,
    window_max integer NOT NULL DEFAULT 100 CHECK (window_max BETWEEN 1 AND 10000),
    throughput integer NOT NULL DEFAULT 0 CHECK (throughput >= 0),  -- submits a second, 0: no limit
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
    created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX carriers_name ON carriers (lower(name));

CREATE TABLE services (
    id               uuid PRIMARY KEY,
    name             text NOT NULL CHECK (name <> ''),
    type             text NOT NULL DEFAULT 'sms' CHECK (type = 'sms'),
    currency         text NOT NULL,
    price            bigint NOT NULL CHECK (price >= 0),  -- micro-units for one message or segment
    billing          text NOT NULL DEFAULT 'message' CHECK (billing IN ('message', 'segment')),
    refund_on        text[] NOT NULL DEFAULT '{not_sent,no_signal}'
                     CHECK (refund_on <@ '{not_sent,no_signal}'::text[]),
    unsure           text NOT NULL DEFAULT 'resend' CHECK (unsure IN ('resend', 'refund')),
    sender           text,                                 -- NULL: empty source address
    validity_minutes integer NOT NULL DEFAULT 1440 CHECK (validity_minutes > 0),
    foreign_numbers  boolean NOT NULL DEFAULT false,
    carrier_id       integer NOT NULL REFERENCES carriers,
    state            text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive')),
    created_at       timestamptz(3) NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX services_name ON services (lower(name));

CREATE TABLE price_rules (
    id              uuid PRIMARY KEY,
    position        bigint GENERATED ALWAYS AS IDENTITY,   -- the order of creation
    service_id      uuid NOT NULL REFERENCES services,
    organization_id uuid REFERENCES organizations,
    user_id         uuid REFERENCES users,
    kind            text NOT NULL CHECK (kind IN ('fixed', 'percent', 'amount')),
    value           bigint NOT NULL,                       -- micro-units, or millionths of a percent
    from_volume     bigint CHECK (from_volume >= 0),
    starts          timestamptz(3),
    ends            timestamptz(3),
    created_at      timestamptz(3) NOT NULL DEFAULT now(),
    CHECK (organization_id IS NULL OR user_id IS NULL),    -- both NULL: everyone
    CHECK (kind <> 'fixed' OR value >= 0),
    CHECK (starts < ends)
);
CREATE INDEX price_rules_service ON price_rules (service_id);

CREATE TABLE senders (
    service_id      uuid NOT NULL REFERENCES services,
    organization_id uuid REFERENCES organizations,
    user_id         uuid REFERENCES users,
    header          text NOT NULL,
    created_at      timestamptz(3) NOT NULL DEFAULT now(),
    CHECK ((organization_id IS NULL) <> (user_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (service_id, organization_id, user_id)
);

CREATE TABLE audit_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz(3) NOT NULL DEFAULT now(),
    actor   text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  jsonb NOT NULL DEFAULT '{}'
);

-- tenant ------------------------------------------------------------------------------------------------

-- A credit is what somebody can spend. Which one it is follows from its two ids:
--   (user, user)  a user's own · (org, org)  an organization's pool · (org, user)  a member's share
CREATE TABLE credits (
    tenant_id  uuid NOT NULL,
    owner_id   uuid NOT NULL,
    balance    bigint NOT NULL DEFAULT 0 CHECK (balance >= 0),
    PRIMARY KEY (tenant_id, owner_id)
) WITH (fillfactor = 50);

-- The ledger: one immutable row moves an amount from one account to another, so the books balance by
-- construction. An account is a credit's owner_id, or one of the tenant's two counter-accounts, which keep
-- no balance: funding (…01, where top-ups come from) and sales (…02, where charges go).
CREATE TABLE transfers (
    tenant_id  uuid NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    kind       text NOT NULL CHECK (kind IN ('topup', 'correction', 'handout', 'charge', 'refund')),
    debit      uuid NOT NULL,
    credit     uuid NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0),
    sending_id uuid,
    position   integer,                                   -- of the message within its sending, for a refund
    actor      text,
    note       text,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CHECK (debit <> credit),
    CHECK ((kind IN ('charge', 'refund')) = (sending_id IS NOT NULL)),
    CHECK ((kind = 'refund') = (position IS NOT NULL))
);
CREATE UNIQUE INDEX transfers_one_charge ON transfers (tenant_id, sending_id) WHERE kind = 'charge';
CREATE UNIQUE INDEX transfers_one_refund ON transfers (tenant_id, sending_id, position) WHERE kind = 'refund';

CREATE TABLE sendings (
    tenant_id         uuid NOT NULL,
    id                uuid NOT NULL,
    user_id           uuid NOT NULL,                       -- who asked
    owner_id          uuid NOT NULL,                       -- which credit of the tenant paid
    service_id        uuid NOT NULL,
    carrier_id        integer NOT NULL,
    source            text NOT NULL CHECK (source IN ('api', 'panel')),
    text              text NOT NULL,                       -- of every message; of the first one when they differ
    search_text       text NOT NULL,                       -- text, case folded
    sender            text,
    unit_price        bigint NOT NULL CHECK (unit_price >= 0),
    refund_not_sent   boolean NOT NULL,
    refund_no_signal  boolean NOT NULL,
    resend_unsure     boolean NOT NULL,
    n_valid           integer NOT NULL CHECK (n_valid > 0),
    n_invalid         integer NOT NULL CHECK (n_invalid >= 0),
    n_pending         integer NOT NULL CHECK (n_pending >= 0),
    n_waiting         integer NOT NULL DEFAULT 0 CHECK (n_waiting >= 0),
    n_sent            integer NOT NULL DEFAULT 0 CHECK (n_sent >= 0),
    n_not_sent        integer NOT NULL DEFAULT 0 CHECK (n_not_sent >= 0),
    n_no_signal       integer NOT NULL DEFAULT 0 CHECK (n_no_signal >= 0),
    n_refunded        integer NOT NULL DEFAULT 0 CHECK (n_refunded BETWEEN 0 AND n_not_sent + n_no_signal),
    total_cost        bigint NOT NULL CHECK (total_cost >= 0),
    total_refunded    bigint NOT NULL DEFAULT 0 CHECK (total_refunded BETWEEN 0 AND total_cost),
    created_at        timestamptz(3) NOT NULL,
    expires_at        timestamptz(3) NOT NULL,
    completed_at      timestamptz(3),
    PRIMARY KEY (tenant_id, id),
    CHECK (n_pending + n_waiting + n_sent + n_not_sent + n_no_signal = n_valid),
    CHECK ((completed_at IS NOT NULL) = (n_pending + n_waiting = 0))
) WITH (fillfactor = 60);
CREATE INDEX sendings_newest ON sendings (tenant_id, created_at, id);
CREATE INDEX sendings_open ON sendings (expires_at) WHERE completed_at IS NULL;

-- A message has no id of its own on disk: it is derived from its sending's and its position (rules/ids.py).
CREATE TABLE messages (
    tenant_id   uuid NOT NULL,
    sending_id  uuid NOT NULL,
    position    integer NOT NULL,
    status      message_status NOT NULL DEFAULT 'pending',
    parts_left  integer NOT NULL DEFAULT 1,                -- a bit for each part still without its receipt
    attempts    smallint NOT NULL DEFAULT 0,               -- how often it went out and no answer came
    recipient   bigint NOT NULL,
    price       bigint NOT NULL CHECK (price >= 0),
    carrier_id  integer,                                   -- who took it; NULL until somebody did
    refunded    boolean NOT NULL DEFAULT false CHECK (NOT refunded OR status IN ('not_sent', 'no_signal')),
    ended_at    timestamptz(3) CHECK ((ended_at IS NOT NULL) = (status IN ('sent', 'not_sent', 'no_signal'))),
    network     text,
    text        text,                                      -- only where the sending's messages differ
    search_text text,
    PRIMARY KEY (tenant_id, sending_id, position)
) WITH (fillfactor = 60);

CREATE TABLE volumes (
    tenant_id  uuid NOT NULL,
    service_id uuid NOT NULL,
    month      date NOT NULL,                              -- its first day, UTC
    accepted   bigint NOT NULL CHECK (accepted >= 0),
    PRIMARY KEY (tenant_id, service_id, month)
) WITH (fillfactor = 50);

CREATE TABLE idempotency (
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    path       text NOT NULL,
    key        text NOT NULL,
    body_hash  bytea NOT NULL,
    sending_id uuid NOT NULL,
    created_at timestamptz(3) NOT NULL,
    PRIMARY KEY (tenant_id, user_id, path, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- carrier -----------------------------------------------------------------------------------------------

-- The queue. A row is a run of messages of one sending (one for a single send, up to 500 of a bulk): a lease
-- touches this row and not the messages. It goes when every message of the run has its answer.
CREATE TABLE batches (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_id     integer NOT NULL,
    priority       smallint NOT NULL,                      -- 0 single sends, 1 bulk
    turn           bigint NOT NULL,                        -- virtual milliseconds; lower goes first
    tenant_id      uuid NOT NULL,
    sending_id     uuid NOT NULL,
    first_position integer NOT NULL,
    end_position   integer NOT NULL,                       -- exclusive
    marked_to      integer NOT NULL,                       -- positions before this one may have gone out
    expires_at     timestamptz(3) NOT NULL,
    lease          uuid,
    leased_until   timestamptz(3),
    CHECK (first_position < end_position),
    CHECK (marked_to BETWEEN first_position AND end_position)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
CREATE INDEX batches_next ON batches (carrier_id, priority, turn, id);

-- What went to a carrier under which id: how a receipt finds its message. Not unique: carriers reuse ids.
CREATE TABLE submits (
    carrier_id   integer NOT NULL,
    ref          text NOT NULL,
    tenant_id    uuid NOT NULL,
    sending_id   uuid NOT NULL,
    position     integer NOT NULL,
    part         smallint NOT NULL,
    submitted_at timestamptz(3) NOT NULL
);
CREATE INDEX submits_ref ON submits (carrier_id, ref);

-- Receipts that ended nothing: those whose message is not known (yet), and those that came after the end.
CREATE TABLE receipts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_id  integer NOT NULL,
    ref         text NOT NULL,
    status      message_status,                            -- NULL: the carrier only reports progress
    error       text,
    network     text,
    raw         text NOT NULL,
    result      text NOT NULL CHECK (result IN ('unmatched', 'matched', 'late')),
    received_at timestamptz(3) NOT NULL
);
CREATE INDEX receipts_unmatched ON receipts (carrier_id, ref) WHERE result = 'unmatched';
