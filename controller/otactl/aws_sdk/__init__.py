"""Reads what the AWS SDK itself knows: Regions, partitions, and what its exceptions say of the caller."""
