"""GitLab's API over the vault: the only package that knows HTTP, and the only one that awaits."""
