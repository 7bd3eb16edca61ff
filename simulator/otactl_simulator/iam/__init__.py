"""Decides requests as IAM would: policies, conditions, principals, and what each operation requires."""
