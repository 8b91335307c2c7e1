"""The table of what ends everything: that operations cease, from which day, and who said so (C30)."""

TABLES: tuple[str, ...] = (
    (
        "CREATE TABLE ceasing (id uuid PRIMARY KEY, announcement text NOT NULL CHECK (announcement <> ''),"
        " day date NOT NULL, proposed_at timestamptz NOT NULL, proposed_by text NOT NULL,"
        " confirmed_at timestamptz, confirmed_by text, ceases_at timestamptz,"
        " taken_back_at timestamptz, taken_back_by text,"
        " CHECK (num_nonnulls(confirmed_at, confirmed_by, ceases_at) IN (0, 3)),"
        " CHECK (num_nonnulls(taken_back_at, taken_back_by) IN (0, 2)),"
        # Two people, whatever is asked of the database.
        " CHECK (confirmed_by <> proposed_by), CHECK (ceases_at >= confirmed_at))"
    ),
    # At most one that stands.
    "CREATE UNIQUE INDEX ceasing_stands ON ceasing ((TRUE)) WHERE taken_back_at IS NULL",
    """
CREATE FUNCTION ceasing_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ceases_at <= now() AND OLD.taken_back_at IS NULL THEN
        RAISE EXCEPTION 'operations have ceased: this is not taken back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$
""",
    "CREATE TRIGGER ceasing_final BEFORE UPDATE OR DELETE ON ceasing FOR EACH ROW EXECUTE FUNCTION ceasing_final()",
)
