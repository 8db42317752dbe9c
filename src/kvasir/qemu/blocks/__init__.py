"""The disks of a running guest: the graph of block nodes, and the jobs that change it."""
