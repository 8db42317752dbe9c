"""Network filters: documents, bindings to guests' interfaces, and the rules of ebtables and iptables that they become."""
