"""How each candidate is made, in words: for the lineage of a document, and for who reads it."""

from stream.learning.linear import LEARNING_RATE
from stream.learning.moved import HAZARD_SHARE
from stream.learning.newton import PRIOR_VARIANCE
from stream.scoring.documents import CALIBRATED, HAZARD, HAZARD_MIX, MIX, MOVED, NEWTON, RIVER_LOGISTIC

RECIPES = {
    HAZARD_MIX: f"mean logit of {MIX} and {HAZARD}",
    HAZARD: "the chance of a purchase within seven days, rolled forward in silence to the horizon",
    MOVED: f"{MIX}, moved by {HAZARD_SHARE:g} of what {HAZARD} says of any purchase beyond the {MIX} of the same",
    MIX: f"mean logit of {RIVER_LOGISTIC} and {NEWTON}, which counts three quarters where labels do not overlap",
    RIVER_LOGISTIC: f"logistic regression on all columns, AdaGrad {LEARNING_RATE}",
    NEWTON: "logistic regression on all columns and what is missed at the customer's own pace, recursive Newton steps, "
    f"prior variance {PRIOR_VARIANCE}",
    CALIBRATED: f"{MIX} with its logit stretched and moved (Platt)",
    "base_rate": "floor: the share of labels of value 1 so far",
    "since_last_purchase": "floor: logistic regression on days since the last purchase",
    "count_90d": "floor: logistic regression on the count of purchases decayed over 90 days",
}
"""Candidate of Ebb's own -> its recipe; who publishes a challenger says its own."""
