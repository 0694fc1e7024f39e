"""Settings of every process, from the environment and `.env`; one declaration each (docs/settings.md)."""
