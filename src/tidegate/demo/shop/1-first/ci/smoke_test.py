"""Asks the deployed shop for each product."""

import json
import os
import urllib.request

address = os.environ["TIDEGATE_URL"]
for product in json.load(urllib.request.urlopen(address + "/", timeout=5))["products"]:
    answer = json.load(urllib.request.urlopen(f"{address}/products/{product}", timeout=5))
    print(answer)
    assert answer["price"] > 0
