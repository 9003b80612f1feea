-- How each carrier wants its texts (rules/segments.py, Style).
ALTER TABLE carriers
    ADD COLUMN turkish       text NOT NULL DEFAULT 'ucs2'
               CHECK (turkish IN ('ucs2', 'locking', 'single', 'transliterate')),
    ADD COLUMN reserve       smallint NOT NULL DEFAULT 0 CHECK (reserve BETWEEN 0 AND 30),
    ADD COLUMN concatenation text NOT NULL DEFAULT 'udh8'
               CHECK (concatenation IN ('udh8', 'udh16', 'sar', 'payload')),
    ADD COLUMN packed        boolean NOT NULL DEFAULT false;
