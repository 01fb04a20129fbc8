"""What every page is made of: pickers, buttons, waiting."""
