-- A signature beside each block says which pieces of texts occur in it, so that a search reads few blocks
-- (docs/decisions/0012). The texts go apart from it, so that reading all signatures touches few pages. Blocks are a copy:
-- they are gathered anew.
TRUNCATE search_blocks, search_days;
ALTER TABLE search_blocks
    ADD signature bit(4096),                               -- rules/signature.py; NULL: a block so small that it is read
    ALTER signature SET STORAGE PLAIN,
    SET (toast_tuple_target = 768);
