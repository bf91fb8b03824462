"""The pages a person opens: one self-contained HTML file each, no script, nothing loaded from anywhere.

html.py        elements that escape their text, numbers as people read them, the frame of a page
chart.py       plots as inline SVG in the page's own colours
training.py    several algorithms beside each other and beside the baselines
tuning.py      the parameters that were tried, and whether the best are better than noise
monitoring.py  what a live model was asked and answered
"""

from __future__ import annotations

from retailops.retail.pages.monitoring import monitor_page
from retailops.retail.pages.training import training_page
from retailops.retail.pages.tuning import tuning_page

__all__ = ["monitor_page", "training_page", "tuning_page"]
