"""Tells people before a file expires, where they already look: webhook, Slack, Teams, e-mail, a GitLab issue.

`recipients` reads who is told; a channel a kind says how; `notifier` brings both and `vault.notices` together.
"""
