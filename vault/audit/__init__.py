"""Who did what: an append-only log of lines, each of which vouches for the one before it.

    lines.py    one line: its bytes, its hash, and what the hash is keyed with
    files.py    the files of a folder: names, which chain is free, where one ends
    log.py      writes lines; one chain for each process
    catalog.py  what the catalog knows of the chains: their heads, and their lines as events
    verify.py   names the first line that is not what was written

A chain is a sequence of lines with numbers from 1. Every line holds an HMAC of itself and the HMAC of the line before,
under a key that is derived from the keyring: who can write the files, but does not have the keyring, cannot change,
remove, add or exchange a line unnoticed. That lines at the end are gone shows by the chain's head in the catalog.
"""
