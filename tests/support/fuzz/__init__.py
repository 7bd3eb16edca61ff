"""Feeds damaged inputs to the product's readers, and judges what they make of each."""
