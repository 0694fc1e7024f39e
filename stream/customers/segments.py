"""The segments and the rules that name a cluster by where its centre lies."""

SEGMENTS = (
    "Unsegmented",
    "Champions",
    "Loyal Customers",
    "Potential Loyalists",
    "New Customers",
    "At Risk",
    "Need Attention",
)
"""A customer's segment is stored as its index here; new names are added at the end."""

UNSEGMENTED = 0
CODE_OF = {name: code for code, name in enumerate(SEGMENTS)}
