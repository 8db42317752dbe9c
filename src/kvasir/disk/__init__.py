"""Tools that look into the disks of guests that are off, by a small machine of their own."""
