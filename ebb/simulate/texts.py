"""What customers write: searches, and reviews whose words follow the rating."""

from ebb.simulate.draws import Draws, IntArray

OPENINGS = (
    ("Very disappointed.", "Not again.", "Would not recommend.", "What a shame.", "I had to complain twice."),
    ("Below what I expected.", "Hm.", "Could be better.", "Not quite right.", "Rather a let-down."),
    ("It does the job.", "Fair enough.", "Neither good nor bad.", "All right for the price.", "Average."),
    ("Very nice.", "Happy with it.", "Good buy.", "Lovely colour.", "As described."),
    ("Absolutely love it!", "Perfect.", "Best one yet!", "Brilliant, thank you.", "Could not be happier."),
)
ABOUT = (
    ("The {0} arrived broken", "My {0} fell apart after a week", "The {0} looks nothing like the picture"),
    ("The {0} feels flimsy", "The {0} is smaller than it looks", "There was a scratch on the {0}"),
    ("The {0} is fine", "The {0} is what it says", "We use the {0} now and then"),
    ("The {0} looks good in our home", "The {0} is well made", "My sister liked the {0}"),
    ("The {0} is beautiful", "Everybody asks where the {0} is from", "The {0} is better than I hoped"),
)
SERVICE = (
    ("and nobody answers my mails.", "and the parcel was a week late.", "and I am still waiting for my money."),
    ("and delivery took its time.", "and the box was dented.", "and the second one was missing."),
    ("and delivery was normal.", "and it came when they said.", "so I cannot complain."),
    ("and it came in two days.", "and was well packed.", "and the price was right."),
    ("and it was here the next day.", "and the service is wonderful.", "and I have ordered two more."),
)
SEARCHES = ("{0}", "{0} gift", "cheap {0}", "{0} set", "{0} sale", "{0} small")


def review_texts(draws: Draws, who: IntArray, day: int, ratings: IntArray, products: list[str]) -> list[str]:
    """A text for each review.

    >>> import numpy as np
    >>> review_texts(Draws(1), np.array([4]), 9, np.array([5]), ["red mug"])
    ['Best one yet! Everybody asks where the red mug is from and it was here the next day.']
    """
    first, second, third = (draws.below(5, "review words", who, day, place).tolist() for place in range(3))
    return [
        f"{OPENINGS[r - 1][a]} {ABOUT[r - 1][b % 3].format(product)} {SERVICE[r - 1][c % 3]}"
        for r, a, b, c, product in zip(ratings.tolist(), first, second, third, products, strict=True)
    ]


def searches(draws: Draws, bits: IntArray, products: list[str]) -> list[str]:
    """What was typed to find each product."""
    forms = draws.below(len(SEARCHES), "search words", bits).tolist()
    return [SEARCHES[form].format(product) for form, product in zip(forms, products, strict=True)]
