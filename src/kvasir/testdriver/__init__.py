"""The ``test`` driver: guests, networks, pools, interfaces and devices in memory, for practice and for the tests of bindings."""
