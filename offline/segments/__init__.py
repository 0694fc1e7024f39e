"""Segments found in a history."""
