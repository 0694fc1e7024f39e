"""How fast Ebb is, beside others, on the same records and the same broker (README.md)."""
