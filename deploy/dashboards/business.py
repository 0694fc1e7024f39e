"""The dashboard "Business": how the shop and its customers are, and how far the scores can be trusted."""

from deploy.dashboards.panels import RATE, Board, Choice, Constant, Row, graph, names, number
from stream.outcomes.declaration import LAPSED

HOUR = f'3600 * sum(rate(ebb_shop_total{{name="%s"}}{RATE}))'
MONEY_AN_HOUR = f'3600 * sum(rate(ebb_shop_total{{name=~"%s"}}{RATE})) / $minor_units'

GLANCE = Row(
    "At a glance",
    (
        number("Customers", "Everybody with an id who has sent any event.", "sum(ebb_customers)"),
        number(
            "Value at risk",
            "Probability of the outcome that alerts go by × net spend of a year, of all customers; major units.",
            "sum(ebb_value_at_risk_minor) / $minor_units",
        ),
        number(
            "Open churn alerts", "Opened and not closed by a purchase or a lower probability.", "sum(ebb_open_alerts)"
        ),
        number(
            "Revenue an hour",
            "Purchases, of guests too, before refunds; major units.",
            MONEY_AN_HOUR % "(guest_)?purchase_minor",
        ),
        number(
            "Customers at risk",
            "Customers with some value at risk: a probability is known and they have spent in the last year.",
            "sum(ebb_customers_at_risk)",
        ),
    ),
)

SALES = Row(
    "Sales",
    (
        graph(
            "Purchases an hour",
            "By customers with an id and by guests.",
            (HOUR % "purchases", "customers"),
            (f"{HOUR % 'guest_purchases'} or vector(0)", "guests"),
            stacked=True,
        ),
        graph(
            "Money an hour",
            "Purchases and refunds, guests included; major units.",
            (MONEY_AN_HOUR % "(guest_)?purchase_minor", "purchases"),
            (f"{MONEY_AN_HOUR % '(guest_)?refund_minor'} or vector(0)", "refunds"),
        ),
        graph(
            "Mean basket",
            "Money of purchases by their number; major units.",
            (
                f'sum(rate(ebb_shop_total{{name=~"(guest_)?purchase_minor"}}{RATE})) / '
                f'sum(rate(ebb_shop_total{{name=~"(guest_)?purchases"}}{RATE})) / $minor_units',
                "basket",
            ),
        ),
        graph("New customers an hour", "First events of an id.", (HOUR % "customers", "new")),
    ),
)

SEGMENTS = Row(
    "Segments",
    (
        graph(
            "Customers by segment",
            "Unsegmented until the first centres are published.",
            ("sum by (segment) (ebb_segment_customers)", "{{segment}}"),
            stacked=True,
        ),
        graph(
            "Segments entered an hour",
            "Customers who came from another segment.",
            (f'3600 * sum by (entered) (rate(ebb_segment_moves_total{{left!="none"}}{RATE}))', "{{entered}}"),
        ),
        graph(
            "Segments left an hour",
            "Customers who went to another segment.",
            (f'3600 * sum by (left) (rate(ebb_segment_moves_total{{left!="none"}}{RATE}))', "{{left}}"),
        ),
    ),
)

CHURN = Row(
    "Churn",
    (
        graph(
            "Churn alerts an hour",
            "A jump of the opened ones after a new model is the model's doing.",
            (f'3600 * sum(rate(ebb_messages_total{{kind="churn-alert.opened"}}{RATE}))', "opened"),
            (f'3600 * sum(rate(ebb_messages_total{{kind="churn-alert.closed"}}{RATE})) or vector(0)', "closed"),
        ),
        graph("Open churn alerts over time", "The audience of a campaign now.", ("sum(ebb_open_alerts)", "open")),
        graph(
            "Value at risk over time",
            "Major units of the currency.",
            ("sum(ebb_value_at_risk_minor) / $minor_units", "value at risk"),
        ),
    ),
)

NO_DRIFT_YET = (
    'label_replace(label_replace(vector(0), "measure", "nothing", "", ""), "subject", "measured yet", "", "")'
)

CHOSEN = '{outcome=~"$outcome"}'  # of all outcomes these panels would have some fifty lines each

MODELS = Row(
    "How good the scores are",
    (
        graph(
            "Log loss beside the floors",
            "Nats, on the scores that decisions had, stored a horizon earlier. Lower is better; a champion above a "
            "floor serves no longer.",
            (f"ebb_model_log_loss{CHOSEN}", "{{outcome}} {{candidate}}"),
        ),
        graph(
            "AUC beside the floors",
            "Higher is better; .5 is chance.",
            (f"ebb_model_auc{CHOSEN}", "{{outcome}} {{candidate}}"),
        ),
        graph(
            "Calibration error",
            "How far what a candidate said is from what came true, in the mean. 0 is best.",
            (f"ebb_model_calibration_error{CHOSEN}", "{{outcome}} {{candidate}}"),
        ),
        names(
            "Candidate that serves",
            "The one whose probability is in views and alerts: the champion, or a floor that is better.",
            ("ebb_model_serving == 1", "{{outcome}}: {{candidate}}"),
        ),
        graph(
            "Champions for a person to look at",
            "1 while blocks propose another champion (ebb models show), or a person has pinned the one that serves.",
            ("ebb_model_proposed", "{{outcome}} has a proposal"),
            ("ebb_model_pinned", "{{outcome}} is pinned"),
        ),
        graph(
            "Drift beside its limit",
            "How far columns, scores, losses and calibration had moved when the last week ended; above 1 it is drift.",
            (f"ebb_drift / ebb_drift_limit or on () {NO_DRIFT_YET}", "{{measure}} {{subject}}"),
        ),
        graph(
            "Challengers that began after drift",
            "Candidates that learn mostly from labels since then, and are judged like the others (ebb models show).",
            ("ebb_drift_challengers", "{{outcome}}"),
        ),
        graph(
            "Labels open and matured",
            "Open: snapshots whose outcome is not known yet. Matured: since the workers started.",
            ("sum(ebb_labels_open)", "open"),
            ('sum(ebb_messages_total{kind="label"})', "matured"),
            ("sum(ebb_learner_labels_total)", "learned, by all learners"),
        ),
    ),
)

BUSINESS = Board(
    "ebb-business",
    "Business",
    "How the shop and its customers are, and how far the scores can be trusted.",
    (GLANCE, SALES, SEGMENTS, CHURN, MODELS),
    (
        Constant("minor_units", "Minor units of a major unit", "100"),
        Choice("outcome", "Outcome", "label_values(ebb_model_log_loss, outcome)", first=LAPSED.name),
    ),
)
