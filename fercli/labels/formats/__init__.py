"""Files of votes to raw votes, one module for each format, and the table that tells them apart."""
