"""The bulk engine: plan a list into the journal, send it in chunks, account for every row."""
