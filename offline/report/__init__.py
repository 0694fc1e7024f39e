"""Pages with plots: one file each, to be sent and kept."""
