"""The page that ``dvc plots show`` fills, with Vega inside it: DVC's own loads it from the internet.

DVC writes what a plot's data hold into scripts, and names of branches into elements, all as they are. Here it lands
behind ``<plaintext>``, which no text can close, so nothing of it is a script or an element. Our script reads the plots
out of it line by line; its Content-Security-Policy lets no other run, and nothing be asked for.

``python -m pricetrail.report.plots_page FILE`` writes it; ``make setup`` does, from the bundle that vl-convert ships.
"""

import sys
from pathlib import Path
from typing import Final

import vl_convert

from pricetrail.base.escaping import FORMULA, own_policy
from pricetrail.base.files import write_text

STYLE: Final = """
body { font-family: system-ui, sans-serif; margin: 1rem; display: flex; flex-wrap: wrap; gap: 1.5rem }
section { max-width: 100%; overflow-x: auto }
img { max-width: 60rem; display: block }
plaintext { display: none }
#vg-tooltip-element { position: fixed; visibility: hidden; padding: 8px; background: #fff; border: 1px solid #d9d9d9 }
#vg-tooltip-element.visible { visibility: visible }
"""
# Cells are read as `base.escaping.read_plot_cell` does; `ast` has Vega read its expressions, not compile them.
SCRIPT: Final = r"""
addEventListener("DOMContentLoaded", () => {
  const entities = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
  const text = (cell) => typeof cell !== "string" ? cell
    : cell.replace(/^'(?='*[FORMULA])/, "").replace(/&(?:amp|lt|gt);/g, (found) => entities[found]);
  const row = (cells) => Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, text(cell)]));
  const isTable = (key, value) => key === "values" && Array.isArray(value) && value.every((one) => Object(one) === one);
  const read = (key, value) => isTable(key, value) ? value.map(row) : value;
  const add = (parent, tag, words) => {
    const made = parent.appendChild(document.createElement(tag));
    made.textContent = words || "";
    return made;
  };
  const look = { ast: true, defaultStyle: false, actions: false, tooltip: { disableDefaultStyle: true } };
  const draw = async (json) => {
    const place = add(document.body, "section");
    try { await vegaEmbed(add(place, "div"), JSON.parse(json, read), look); }
    catch (error) { add(place, "p", `This plot could not be drawn: ${error.message}`); }
  };
  let place = document.body, many = 0;
  const forms = [
    [/^var spec = (.*);$/, draw],
    [/^<p>(.*)<\/p>$/, (words) => { place = add(document.body, "section"); add(place, "p", words); }],
    [/^<img src="(.*)">$/, (source) => { add(place, "img").src = source; }],
  ];
  for (const line of document.querySelector("plaintext").textContent.split("\n")) {
    for (const [form, show] of forms) {
      const found = form.exec(line.trim());
      if (found) { show(found[1]); many += 1; }
    }
  }
  if (!many) add(document.body, "p", "No plots: nothing that this page knows is in what DVC wrote.");
});
""".replace("FORMULA", FORMULA)
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="POLICY">
  {refresh_tag}
  <title>Pricetrail plots</title>
  <link rel="icon" href="data:,">
  <style>STYLE</style>
  <script>VEGA</script>
  <script>SCRIPT</script>
</head>
<body>
  <plaintext>
  {plot_divs}
"""


def plots_page(vega: str) -> str:
    """The template, with the text of Vega in it."""
    vega = vega.replace("</script", "<\\/script")
    policy = own_policy([STYLE], [vega, SCRIPT], img_src="file:")
    return PAGE.replace("POLICY", policy).replace("STYLE", STYLE).replace("SCRIPT", SCRIPT).replace("VEGA", vega)


def main() -> None:
    """Write the page to the file named on the command line."""
    bundle = vl_convert.javascript_bundle(snippet=None, vl_version="5.20")  # type: ignore[arg-type]  # its stub errs
    write_text(Path(sys.argv[1]), plots_page(bundle))


if __name__ == "__main__":
    main()
