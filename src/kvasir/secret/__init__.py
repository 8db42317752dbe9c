"""The secret driver: documents and values of secrets."""
