"""The words of ``kvasir``: one function for the options of each, in modules that are imported when their word is used."""
