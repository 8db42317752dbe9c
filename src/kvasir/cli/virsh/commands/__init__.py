"""The commands, a file for each group of kin; `names` says which file holds which."""
