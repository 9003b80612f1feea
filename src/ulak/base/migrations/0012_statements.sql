-- Statements of any length (store/statements.py). The courier closes the ledger behind itself, some thousand transfers of
-- a tenant at a time (flow/closing.py), so that a page deep in the past sums what is near it and nothing else. Acceptance
-- and settling know nothing of it.

-- What a stretch of a tenant's transfers did to one credit; a credit that nothing happened to in it has no row. It is a
-- copy: both tables may be emptied at any time, and are written anew.
CREATE TABLE closings (
    tenant_id uuid NOT NULL,
    owner_id  uuid NOT NULL,
    after_id  bigint NOT NULL,                             -- the stretch is (after_id, last_id] of the transfers' ids
    last_id   bigint NOT NULL,
    n         integer NOT NULL CHECK (n > 0),              -- the credit's transfers in it
    opening   bigint NOT NULL,                             -- what the credit held before them
    closing   bigint NOT NULL,                             -- and after them
    kinds     text[] NOT NULL,                             -- which kinds there are among them
    starts    timestamptz(3) NOT NULL,                     -- the oldest created_at among them
    ends      timestamptz(3) NOT NULL,                     -- and the newest
    PRIMARY KEY (tenant_id, owner_id, last_id),
    CHECK (after_id < last_id)
);

-- Up to which transfer a tenant's ledger is closed.
CREATE TABLE closed (
    tenant_id uuid PRIMARY KEY,
    last_id   bigint NOT NULL
) WITH (fillfactor = 50);
