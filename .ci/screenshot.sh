#!/usr/bin/env bash
# Take the picture of README and docs, docs/images/report.png, from the last run's page. Needs Chromium; no part of `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
shot=$(mktemp --suffix=.png)
trap 'rm -f "$shot"' EXIT
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
    --hide-scrollbars --window-size=1180,860 --force-device-scale-factor=1.5 \
    --screenshot="$shot" "file://$PWD/reports/index.html" 2> /dev/null
python - "$shot" docs/images/report.png << 'PY'
import sys
from PIL import Image

picture = Image.open(sys.argv[1]).convert("RGB").crop((0, 0, 1770, 1270)).resize((1180, 847), Image.Resampling.LANCZOS)
picture.quantize(64, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
PY
