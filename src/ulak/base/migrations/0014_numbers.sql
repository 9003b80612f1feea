-- Messages by their number, for operators who look across all customers (store/everyone.py). An index of one entry for
-- each message would cost every acceptance; this one says for 32 pages at a time which numbers are not there. Inserts
-- into pages that are not summarised yet leave it alone; the courier summarises what is full (flow/numbers.py).
CREATE INDEX messages_recipient ON messages
    USING brin (recipient int8_bloom_ops(n_distinct_per_range = 1500, false_positive_rate = 0.001))
    WITH (pages_per_range = 32, autosummarize = off);
-- Making an index summarises the last range too, which is not full.
SELECT brin_desummarize_range('messages_recipient', greatest(
    0, (pg_relation_size('messages') / current_setting('block_size')::bigint - 1) / 32 * 32));
