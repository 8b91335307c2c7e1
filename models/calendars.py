"""Tables of the calendar: which days the State Council's yearly notices move, and which years are announced."""

TABLES: tuple[str, ...] = (
    # A year is firm once its notice is known; every day that no row names is ordinary: a weekend is off.
    "CREATE TABLE calendar_year (year integer PRIMARY KEY, source text NOT NULL, recorded_at timestamptz NOT NULL)",
    (
        "CREATE TABLE calendar_day (day date PRIMARY KEY, working boolean NOT NULL, source text NOT NULL,"
        " year integer GENERATED ALWAYS AS (EXTRACT(year FROM day)::integer) STORED REFERENCES calendar_year)"
    ),
)
