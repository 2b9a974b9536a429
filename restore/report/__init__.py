"""What people look at: tables, contact sheets, and one self-contained page."""

from restore.report.numbers import dumps
from restore.report.page import Table, html_page
from restore.report.sheet import contact_sheet
from restore.report.table import Column, markdown_table, rich_table
from restore.report.viewer import Comparison, Crop, look_at

__all__ = [
    "Column",
    "Comparison",
    "Crop",
    "Table",
    "contact_sheet",
    "dumps",
    "html_page",
    "look_at",
    "markdown_table",
    "rich_table",
]
