"""The catalogue's tests."""

import unittest

from shop.catalogue import PRODUCTS, price_of


class Catalogue(unittest.TestCase):
    """What customers rely on."""

    def test_every_product_has_a_price(self) -> None:
        for product in PRODUCTS:
            self.assertGreater(price_of(product), 0)

    def test_a_product_that_is_not_sold_has_none(self) -> None:
        with self.assertRaises(KeyError):
            price_of("lighthouse")


if __name__ == "__main__":
    unittest.main()
