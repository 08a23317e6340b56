"""What the shop sells, and for how much."""

PRODUCTS = {"anchor": 120.0, "buoy": 35.5, "chart": 18.0, "rope": 9.75}


def price_of(product: str) -> float:
    """The price of a product."""
    return PRODUCTS[product]
