"""What keeps a vault trustworthy for years: verifying all of it, backups and their restoring, removal of orphans."""
