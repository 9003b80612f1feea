-- Who comes in by the panel: customers by their password, operators by accounts of their own (docs/decisions/0014).

ALTER TABLE audit_log ADD COLUMN address text;            -- from where, where the door knows it
CREATE INDEX audit_log_subject ON audit_log (subject, id);
CREATE INDEX audit_log_actor ON audit_log (actor, id);

-- By e-mail as well as by name; not unique, because it never was: whoever shares an address signs in by name.
CREATE INDEX users_email ON users (lower(email));

CREATE TABLE operators (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (username <> ''),
    password_hash text NOT NULL,
    role          text NOT NULL DEFAULT 'operator' CHECK (role IN ('operator', 'viewer')),  -- a viewer changes nothing
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at    timestamptz(3) NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX operators_username ON operators (lower(username));

-- The second factor of a user or an operator (RFC 6238). It counts once it was confirmed; a step is good once.
CREATE TABLE second_factors (
    owner_id     uuid PRIMARY KEY,
    secret       bytea NOT NULL,
    confirmed_at timestamptz(3),
    last_step    bigint NOT NULL DEFAULT 0,
    created_at   timestamptz(3) NOT NULL DEFAULT now()
);

-- Who is signed in where. A cookie holds 256 random bits, of which only a hash is kept.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    token_hash   bytea NOT NULL UNIQUE,
    user_id      uuid REFERENCES users,
    operator_id  uuid REFERENCES operators,               -- with user_id: an operator who looks at what the user sees
    address      text,
    agent        text NOT NULL DEFAULT '',                 -- the browser, as it calls itself
    awaits_code  boolean NOT NULL DEFAULT false,           -- the password was right, the second factor is to come
    created_at   timestamptz(3) NOT NULL DEFAULT now(),
    seen_at      timestamptz(3) NOT NULL DEFAULT now(),
    expires_at   timestamptz(3) NOT NULL,
    CHECK (user_id IS NOT NULL OR operator_id IS NOT NULL)
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_operator ON sessions (operator_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Guesses that went wrong, by whom they were about and by where they came from.
CREATE UNLOGGED TABLE guesses (
    who      text PRIMARY KEY,
    n        integer NOT NULL,
    since    timestamptz(3) NOT NULL
);
