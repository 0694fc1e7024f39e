"""Records as columns, without an object for each: what nearly every record looks like is read by compiled loops.

What a loop is not certain about, it leaves to `schemas.decode`, whose answer always counts.
"""
