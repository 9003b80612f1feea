-- What a key may do, until when, how often; and how it was hashed (docs/decisions/0019).
ALTER TABLE api_keys
    ADD COLUMN hashed_with bytea,        -- the id of the secret key of its HMAC; NULL: SHA-256, until it is next used
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{sms:send,sms:read,account:read}' CHECK (scopes <> '{}'),
    ADD COLUMN expires_at timestamptz(3),
    ADD COLUMN rate_per_second integer CHECK (rate_per_second > 0);  -- NULL: its owner's alone counts
CREATE INDEX api_keys_prefix ON api_keys (prefix);

ALTER TABLE users ADD COLUMN rate_per_second integer CHECK (rate_per_second >= 0);  -- NULL: the default; 0: no limit
