"""What Acme adds to the vault."""
