"""Snapshots of guests: their documents and files, making them, going back to them, deleting them."""
