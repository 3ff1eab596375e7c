"""What the three clients share: calls as values, the codec, auth, retries, quotas and HTTP."""
