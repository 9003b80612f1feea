-- Up to which message of a tenant texts and numbers are erased, where they are kept for a time only (flow/retention.py).
-- Ids begin with their time and messages lie in their order, so one place says it of all.
CREATE TABLE erased (
    tenant_id  uuid PRIMARY KEY,
    sending_id uuid NOT NULL,
    position   integer NOT NULL
) WITH (fillfactor = 50);
