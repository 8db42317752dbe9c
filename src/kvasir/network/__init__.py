"""The network driver: virtual networks, their ports, addresses, name server and firewall. One file for each forward mode in ``kinds``."""
