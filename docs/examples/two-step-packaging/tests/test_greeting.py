import unittest

from greeter.greeting import greeting


class Greeting(unittest.TestCase):
    def test_whoever_asks_is_greeted(self) -> None:
        self.assertEqual(greeting("Ada"), "Hello, Ada")

    def test_nobody_in_particular_is_the_world(self) -> None:
        self.assertEqual(greeting(""), "Hello, world")
