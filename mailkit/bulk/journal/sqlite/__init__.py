"""A journal in one SQLite file: the database of one machine, and what can happen to its file."""
