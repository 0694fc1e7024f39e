"""Histories as columns: files and archives by the loops of `stream.columns`, order lines, repeats, the rest as events."""
