"""What people look at: tables, contact sheets, and one self-contained page."""

from restore.report.numbers import dumps
from restore.report.page import Comparison, Table, html_page
from restore.report.sheet import contact_sheet
from restore.report.table import Column, markdown_table, rich_table

__all__ = [
    "Column",
    "Comparison",
    "Table",
    "contact_sheet",
    "dumps",
    "html_page",
    "markdown_table",
    "rich_table",
]
