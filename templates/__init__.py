"""Files that retailops hands out or renders: they ship in the wheel as retailops.templates."""
