"""The labelling page: a server on this machine, its static files, and the same page as one file."""
