"""Sealing: the published stream format, its envelope, and the master keys that guard it. See docs/format.md."""
