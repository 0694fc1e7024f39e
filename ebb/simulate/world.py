"""Everything a simulated shop holds while its days go by."""

from dataclasses import dataclass, field

from ebb.simulate.catalogue import Catalogue, stock_shop
from ebb.simulate.draws import Draws
from ebb.simulate.marketing import Campaign, campaigns_of
from ebb.simulate.parts import Agenda
from ebb.simulate.population import Population, populate
from ebb.simulate.settings import ShopSettings

UNITS_PER_CUSTOMER_DAY = 1.5  # sold, about; it sizes the stock


@dataclass
class ShopWorld:
    """The state of a shop between two days."""

    settings: ShopSettings
    draws: Draws
    people: Population
    catalogue: Catalogue
    campaigns: list[Campaign]
    agenda: Agenda = field(default_factory=Agenda)

    @property
    def prefix(self) -> str:
        """What every event id begins with."""
        return f"{self.settings.event_prefix}s{self.settings.seed}-"


def open_shop(settings: ShopSettings) -> ShopWorld:
    """A shop on the morning of its first day."""
    draws = Draws(settings.seed)
    return ShopWorld(
        settings,
        draws,
        populate(settings, draws),
        stock_shop(draws, settings.customers * UNITS_PER_CUSTOMER_DAY, settings.currency),
        campaigns_of(settings.days),
    )
