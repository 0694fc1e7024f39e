"""The report page of segments: who is in them, and why there are so many clusters."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

import numpy as np

from offline.report import plots
from offline.report.page import heading, page, table, text
from offline.report.page import plots as side_by_side
from offline.segments.choosing import DRAWN, DRAWS, Measures
from offline.segments.find import Finding, Segments
from schemas.money import exponent_of
from stream.features.model_columns import MAJOR

POINTS = 1_500  # of the scatter plot


def html(finding: Finding) -> str:
    """The page."""
    found = finding.found
    who = f"{found.customers:,} customers who had bought within 180 days before {found.day}"
    lead = f"{len(found.clusters)} clusters of {who}"
    return page("Segments", lead, _parts(finding))


def _parts(finding: Finding) -> Iterator[str]:
    found = finding.found
    yield heading("Who is in them")
    yield table(
        ["centre", "customers", "silent for", "purchase days", _spend(found), "first bought ago"],
        [
            [
                title, f"{each.customers:,}\n{100 * each.customers / found.customers:.0f} %",
                f"{each.silence_days:,.0f} days", f"{each.purchase_days:,.1f}", f"{each.spend:,.0f}",
                f"{each.tenure_days:,.0f} days",
            ]
            for title, each in zip(found.titles, found.clusters, strict=True)
        ],
    )  # fmt: skip
    yield text(
        "Centres are customers in the middle of their cluster; spend is net of refunds and decays with a half-life "
        "of a year. Clusters may share a name: their numbers are those of the plots. Who comes into which segment, "
        "when only names count that fit the customer:"
    )
    yield table(
        ["segment", "customers"],
        [[name, f"{count:,}\n{100 * count / found.customers:.0f} %"] for name, count in found.sizes.items()],
    )
    yield side_by_side(
        _scatter(finding, 0, title="Silence and spend", x="days since the last purchase", wide=True),
        _scatter(finding, 3, title="Age and spend", x="days since the first purchase", wide=False),
    )
    yield from _choice(found)
    yield from _trust(found)


def _spend(found: Segments) -> str:
    return f"spend of a year, {found.currency}"


def _scatter(finding: Finding, column: int, *, title: str, x: str, wide: bool) -> str:
    """Customers by a column and spend, coloured by cluster."""
    found, document = finding.found, finding.document
    rows = np.expm1(finding.places * document.scales + document.means)
    some = np.random.default_rng(0).permutation(len(rows))[:POINTS]
    spend = rows[:, 2] * MAJOR / 10.0 ** exponent_of(found.currency)
    groups = {
        name: (rows[at, column], spend[at])
        for place, name in enumerate(found.titles)
        if len(at := some[finding.cluster[some] == place])
    }
    return plots.scatter(groups, title=title, x=x, y=_spend(found), wide=wide)


def _choice(found: Segments) -> Iterator[str]:
    yield heading("How many clusters")
    if found.votes is None:
        yield text(f"{len(found.clusters)}, as asked.")
        return
    votes = found.votes
    yield text(
        f"The silhouette is for {votes.silhouette}, the Davies-Bouldin index for {votes.davies_bouldin}, the gap "
        f"statistic for {votes.gap}; the middle of the three is {votes.chosen}. Each is the mean over {DRAWS} draws of "
        f"half the customers, at most {DRAWN:,}. It is for the fewest clusters that are within one standard error (±) "
        "of the best, and the gap for the fewest that are within that of one more."
    )
    yield table(
        ["clusters", "silhouette", "Davies-Bouldin", "gap", "stability"],
        [
            [
                str(each.clusters), f"{each.silhouette:.3f}\n± {each.silhouette_error:.3f}",
                f"{each.davies_bouldin:.3f}\n± {each.davies_bouldin_error:.3f}",
                f"{each.gap:.3f}\n± {each.gap_error:.3f}", f"{each.stability:.3f}",
            ]
            for each in found.measures
        ],
        chosen=str(votes.chosen),
    )  # fmt: skip
    along = [each.clusters for each in found.measures]
    yield side_by_side(
        *(
            plots.lines({title: (along, [read(each) for each in found.measures])}, title=title, x="clusters", y=better,
                dots=True, limits=None)
            for title, better, read in _MEASURES
        )
    )  # fmt: skip


def _trust(found: Segments) -> Iterator[str]:
    yield heading("Would they come again?")
    yield text(
        "In shops with as many customers, drawn with repetition, customers come together again to "
        f"{found.stability:.2f} (adjusted Rand index: 1 is all, 0 as by chance). Ward's hierarchical clusters of "
        f"{found.ward_customers:,} customers agree with k-means to {found.ward_agreement:.2f}."
    )
    heights = {f"{number + 1} from {number + 2}": height for number, height in enumerate(found.ward_heights)}
    yield side_by_side(plots.bars(heights, title="Ward's last merges", x="distance of what was joined"))


_MEASURES: Sequence[tuple[str, str, Callable[[Measures], float]]] = (
    ("Silhouette", "more is better", attrgetter("silhouette")),
    ("Davies-Bouldin", "less is better", attrgetter("davies_bouldin")),
    ("Gap", "more is better", attrgetter("gap")),
    ("Stability", "1 is all again", attrgetter("stability")),
)
