"""`ebb ingest`: records of any topic, key and format become Ebb's own events, as a map says (docs/your-own-data.md)."""
