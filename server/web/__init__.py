"""The page: what the vault holds and when it expires, to look at. One module a subject, each with `ENDPOINTS`.

Rendered here, works without scripts; a script adds a progress bar and copy buttons. Pages call the same services as the
API, with the rights of the token that the session began with.
"""
