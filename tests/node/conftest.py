"""The day that node tests share."""

from tests.node.days import day

__all__ = ["day"]
