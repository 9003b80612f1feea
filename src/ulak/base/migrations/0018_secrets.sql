-- Secrets that have to be read again are sealed with a key that is not in here (docs/decisions/0019).

-- The secret keys that something in here needs, by what is derived from them: nobody works with others.
CREATE TABLE secret_keys (
    id         bytea PRIMARY KEY,
    since      timestamptz(3) NOT NULL DEFAULT now()
);

-- SQL cannot seal: the first process that starts seals what stands in the old columns, and empties them.
ALTER TABLE carriers RENAME COLUMN password TO password_plain;
ALTER TABLE carriers ALTER COLUMN password_plain DROP NOT NULL;
ALTER TABLE carriers ADD COLUMN password bytea;

ALTER TABLE second_factors RENAME COLUMN secret TO secret_plain;
ALTER TABLE second_factors ALTER COLUMN secret_plain DROP NOT NULL;
ALTER TABLE second_factors ADD COLUMN secret bytea;

-- So that every start finds out at once that there is nothing left to seal.
CREATE INDEX carriers_plain ON carriers (id) WHERE password_plain IS NOT NULL;
CREATE INDEX second_factors_plain ON second_factors (owner_id) WHERE secret_plain IS NOT NULL;
