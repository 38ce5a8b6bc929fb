"""check_rows.py NAME: is stdin what every program of bench/ prints with
--json? bench/README.md has the form."""
import json
import math
import sys

document = json.load(sys.stdin)
assert document["machine"], "no machine"
assert document["rows"], "no rows"
for row in document["rows"]:
    assert all(row[key] for key in ("case", "peer", "unit")), row
    for key in ("ours", "theirs", "ratio"):
        assert math.isfinite(row[key]), row
    if row["theirs"]:
        ratio = row["ours"] / row["theirs"]
        assert abs(row["ratio"] - ratio) <= 1e-5 * abs(ratio), row
print(f"{sys.argv[1]}: {len(document['rows'])} rows of the right form")
