"""Histories as columns: files and archives by the loops of `stream.columns`, order lines, repeats, others as events."""
