"""Features of every active customer at chosen instants, as online snapshots would have had them."""
