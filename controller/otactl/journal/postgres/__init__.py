"""Stores the journal in PostgreSQL, for several machines; psycopg is imported only where a connection is made."""
