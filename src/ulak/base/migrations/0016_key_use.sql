-- When a key was last used, to the minute or so: gathered in memory, written now and then (flow/uses.py).
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz(3);
