"""Nouns: errors, rows, tables, settings, the project folder and its runs. Standard library and filelock only."""
