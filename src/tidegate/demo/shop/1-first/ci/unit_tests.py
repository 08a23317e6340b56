"""Runs the tests and writes a JUnit report."""

import pathlib
import sys
import time
import unittest
from xml.etree import ElementTree


class JUnitResult(unittest.TextTestResult):
    """A result that notes every test as a test case of the report."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.report = ElementTree.Element("testsuite", name="shop")

    def startTest(self, test):
        super().startTest(test)
        self.case = ElementTree.SubElement(self.report, "testcase", classname=type(test).__name__, name=test.id())
        self.began = time.perf_counter()

    def stopTest(self, test):
        self.case.set("time", f"{time.perf_counter() - self.began:.3f}")
        super().stopTest(test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        ElementTree.SubElement(self.case, "failure").text = self.failures[-1][1]

    def addError(self, test, error):
        super().addError(test, error)
        ElementTree.SubElement(self.case, "error").text = self.errors[-1][1]

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        ElementTree.SubElement(self.case, "skipped", message=reason)


sys.path.insert(0, ".")
suite = unittest.defaultTestLoader.discover("tests")
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=JUnitResult).run(suite)
result.report.set("tests", str(result.testsRun))
pathlib.Path("reports").mkdir(exist_ok=True)
ElementTree.ElementTree(result.report).write("reports/unit.xml")
sys.exit(0 if result.wasSuccessful() else 1)
