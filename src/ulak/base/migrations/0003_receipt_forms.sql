-- How each carrier writes its ids and names networks in receipts (rules/refs.py, edge/carrier/link.py).
ALTER TABLE carriers
    ADD COLUMN message_ids  text NOT NULL DEFAULT 'as_is' CHECK (message_ids IN ('as_is', 'hex_to_dec', 'dec_to_hex')),
    ADD COLUMN ignore_zeros boolean NOT NULL DEFAULT false,
    ADD COLUMN ignore_case  boolean NOT NULL DEFAULT false,
    ADD COLUMN network_from text NOT NULL DEFAULT 'text';
