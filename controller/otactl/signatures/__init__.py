"""Signs and verifies: keys of Ed25519 and ECDSA P-256, and DSSE envelopes. No file is read here."""
