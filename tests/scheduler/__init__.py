"""The scheduler, as real processes over a real database."""
