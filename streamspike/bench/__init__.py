"""Measurements that can be repeated: each prints a table and writes JSON."""
