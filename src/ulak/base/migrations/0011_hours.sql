-- What the sendings of an hour (of UTC) come to: gathered once by the courier, so that months are summed from few rows
-- (store/hours.py). A copy: what is not in here, or not all of it, is summed where it is.
CREATE TABLE hours (
    tenant_id      uuid NOT NULL,
    starts         timestamptz(0) NOT NULL,
    n_sendings     integer NOT NULL CHECK (n_sendings > 0),  -- as many as the hour's tallies say, or one came late
    open_ids       uuid[] NOT NULL,                          -- those of them that went on: they are in no sum
    n_valid        bigint NOT NULL,
    n_sent         bigint NOT NULL,
    n_not_sent     bigint NOT NULL,
    n_no_signal    bigint NOT NULL,
    n_refunded     bigint NOT NULL,
    total_cost     bigint NOT NULL,
    total_refunded bigint NOT NULL,
    PRIMARY KEY (tenant_id, starts),
    CHECK (n_sent + n_not_sent + n_no_signal = n_valid),
    CHECK (cardinality(open_ids) <= n_sendings)
) WITH (fillfactor = 70);
