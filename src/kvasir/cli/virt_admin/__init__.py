"""``virt-admin``: looks after a daemon that runs."""
