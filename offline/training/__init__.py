"""Batch models, trained on a history and judged on what came later; a run is a folder of data and a page."""
