"""The storage driver: pools (one file for each type) and volumes."""
