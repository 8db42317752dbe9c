"""Network interfaces of the host: what is live by netlink, what is configured by one back end of several."""
