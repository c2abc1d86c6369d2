"""Other stores of files, run for real beside the vault and loaded by the same client."""
