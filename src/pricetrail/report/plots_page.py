"""The page that ``dvc plots show`` fills, with Vega inside it: DVC's own loads it from the internet.

``python -m pricetrail.report.plots_page FILE`` writes it; ``make setup`` does, from the bundle that vl-convert ships.
"""

import sys
from pathlib import Path

import vl_convert

from pricetrail.base.files import write_text

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  {refresh_tag}
  <title>Pricetrail plots</title>
  <link rel="icon" href="data:,">
  <style>
    body { font-family: system-ui, sans-serif; margin: 1rem; display: flex; flex-wrap: wrap; gap: 1.5rem }
    img { max-width: 60rem }
  </style>
  <script>VEGA</script>
</head>
<body>
  {plot_divs}
</body>
</html>
"""


def main() -> None:
    """Write the page to the file named on the command line."""
    bundle = vl_convert.javascript_bundle(snippet=None, vl_version="5.20")  # type: ignore[arg-type]  # its stub errs
    script = bundle.replace("</script", "<\\/script")
    write_text(Path(sys.argv[1]), PAGE.replace("VEGA", script))


if __name__ == "__main__":
    main()
