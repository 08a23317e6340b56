"""Runs the tests and writes a JUnit report."""

import pathlib
import sys
import unittest
from xml.etree import ElementTree

sys.path.insert(0, ".")
suite = unittest.defaultTestLoader.discover("tests")
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = result.failures + result.errors
report = ElementTree.Element(
    "testsuite", name="shop", tests=str(result.testsRun), failures=str(len(failed)), skipped=str(len(result.skipped))
)
for test, text in failed:
    case = ElementTree.SubElement(report, "testcase", name=str(test))
    ElementTree.SubElement(case, "failure").text = text
pathlib.Path("reports").mkdir(exist_ok=True)
ElementTree.ElementTree(report).write("reports/unit.xml")
sys.exit(0 if result.wasSuccessful() else 1)
