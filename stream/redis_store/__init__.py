"""The ports on Redis, and readers of what they store. Nothing else in Ebb knows Redis."""
