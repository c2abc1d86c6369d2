"""Programs of others, unmodified, against a running vault; each is skipped by name where it is not installed."""
