"""Random faults against a whole deployment under load, and what must hold at the end: `make chaos SEED=1 MINUTES=5`."""
