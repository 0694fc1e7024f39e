"""What a shop sells. A schema only: no input carries products yet."""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.envelope import QUANTITY_MAX, Amount, Currency, Id, Name, Text, Version


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type", tag="product"):
    """A product: `cost` and `price` of one unit in major units of `currency`, `stock` in units."""

    product_id: Id
    currency: Currency
    price: Amount
    cost: Amount | None = None
    category: Name | None = None
    name: Text | None = None
    stock: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)] | None = None
    schema_version: Version = 1
    compatible_with: Version | None = None
