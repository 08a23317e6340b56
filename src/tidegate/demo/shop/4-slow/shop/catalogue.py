"""What the shop sells, and for how much."""

import time

PRODUCTS = {"anchor": 120.0, "buoy": 35.5, "chart": 18.0, "compass": 49.0, "rope": 9.75}
REDUCED = {"buoy": 0.9}
IMPORTED = {"chart", "compass"}


def price_of(product: str) -> float:
    """The price of a product, with this week's reduction; of an imported one after a look at the customs' tariff."""
    if product in IMPORTED:
        time.sleep(0.12)  # stands for a call that nobody measured
    return round(PRODUCTS[product] * REDUCED.get(product, 1.0), 2)
