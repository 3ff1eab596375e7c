"""The services, strangers to each other: a folder a provider, the same file names in each."""
