"""Changes records: the transition table of attempts, write-ahead intents, outcomes of calls. Pure."""
