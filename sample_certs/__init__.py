"""Signing files to try the vault with, and the script that makes them.

Nothing here protects anything: every private key is derived from a sentence that stands in `keys.py`, every
password is `sample`, `android` or empty. See `README.md` for what each file is.
"""
