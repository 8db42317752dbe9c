"""The procedures of the test driver, where they differ from those of other drivers."""
