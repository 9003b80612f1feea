-- Texts as they are searched (docs/decisions/0012): many sendings' in one row, so that reading all of a tenant's is
-- quick. The courier gathers them; what it has not gathered yet is searched where it is.

-- Sendings of one tenant and source, all of one hour, in the order of their texts. Each text ends with U+0001.
CREATE TABLE search_blocks (
    tenant_id uuid NOT NULL,
    starts    timestamptz(0) NOT NULL,                     -- the hour
    source    text NOT NULL,
    first_id  uuid NOT NULL,                               -- the oldest's
    last_id   uuid NOT NULL,                               -- the newest's
    ids       uuid[] NOT NULL,
    texts     text NOT NULL,
    PRIMARY KEY (tenant_id, starts, source, first_id)
) WITH (toast_tuple_target = 8160);                        -- a block fills a page
ALTER TABLE search_blocks
    ALTER ids SET STORAGE EXTERNAL,                        -- reading is the point, and unpacking takes longer than reading
    ALTER texts SET STORAGE EXTERNAL;

-- How many sendings of a day are in blocks, and up to which moment. Together with what came after it, they are as many as
-- the day's tally says, or one came late and the day is searched where it is until it is gathered anew.
CREATE TABLE search_days (
    tenant_id uuid NOT NULL,
    starts    timestamptz(0) NOT NULL,
    n         integer NOT NULL CHECK (n >= 0),
    until     timestamptz(3) NOT NULL,
    PRIMARY KEY (tenant_id, starts)
) WITH (fillfactor = 50);
