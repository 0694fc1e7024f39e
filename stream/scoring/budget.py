"""What a score may cost. Apart from what estimates costs: who reads settings need not wait for the compiler to load."""

SCORE_BUDGET_US = 10.0
"""By default: a third of what an event costs. Boosted trees of the usual settings take half of it."""
