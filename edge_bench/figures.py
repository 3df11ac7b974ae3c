"""What all figures share: style, colours of the reader's theme, SVG text."""

import io
import re
import warnings

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Replaced by CSS's currentColor, so that lines and text follow the page's light or dark theme.
INK = "#010203"
# Okabe and Ito (2008), distinguishable with colour-blind eyes and on both themes.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH_INCHES = 3.9  # 280 points: on a phone of 360 pixels the smallest text, 8 points, is 8 pixels
STYLE = {
    "font.size": 10,
    "font.family": "sans-serif",
    "text.parse_math": False,  # a name may hold $
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "irnet",
}


def new_figure(height_inches: float) -> tuple[Figure, Axes]:
    """A figure of the usual width with one pair of axes; call within ``rc_context(STYLE)``."""
    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
    return figure, figure.add_subplot()


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element; ``INK`` becomes the colour of the text around it."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # names of other scripts: the reader's fonts draw them, here their width is guessed
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace(INK, "currentColor")
