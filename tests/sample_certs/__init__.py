"""The samples and the script that makes them."""
