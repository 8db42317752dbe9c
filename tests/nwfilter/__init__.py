"""Network filters: documents, rules and packets."""
