-- What somebody is about to send in the panel, between its steps: hours, not days (store/drafts.py).
CREATE TABLE drafts (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,                              -- begins with its time
    user_id    uuid NOT NULL,
    service_id uuid,                                       -- not chosen yet
    name       text NOT NULL,                              -- of the file, or what the user calls it
    text       text NOT NULL,                              -- with its placeholders
    numbers_in integer,                                    -- the column that holds the numbers; not known yet
    body       bytea NOT NULL,                             -- the rows, packed and compressed
    n_rows     integer NOT NULL,
    created_at timestamptz(3) NOT NULL,
    expires_at timestamptz(3) NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE drafts ALTER COLUMN body SET STORAGE EXTERNAL; -- it cannot be compressed twice
CREATE INDEX drafts_user ON drafts (tenant_id, user_id, id);
CREATE INDEX drafts_age ON drafts (expires_at);
