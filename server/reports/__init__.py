"""What expires, in the forms that other programs and people read: calendar, metrics, Markdown, a page to print.

Each takes the rows of `vault.expiry.report`, soonest first. They know neither the catalog nor HTTP: the command line
and the server render the same rows.
"""
