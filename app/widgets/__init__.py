"""Widgets that pages share: pickers, buttons, tables, waiting."""
