"""The report of a job: its numbers, and what they are written as, for people and for machines."""

from mailkit.bulk.report.summary import Doubt, Report, every_report, make_report
from mailkit.bulk.waiting import Waiting

__all__ = ["Doubt", "Report", "Waiting", "every_report", "make_report"]
