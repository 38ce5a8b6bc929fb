#!/usr/bin/env bash
# An operator's night: a better path for one domain and one more domain over a
# served model, packed, promoted on disk; the other domains do not move a bit.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

sy domains make data --only glyphs,textures,colours >out

# answers MODEL DOMAIN: what eval says of a domain but for its times.
answers() {
    sy eval "$1" --data data --domain "$2" --json >out
    python3 - <<'PY'
import json
row = json.load(open("out"))["domains"][0]
print({k: row[k] for k in ("name", "n", "top1", "nll", "ece", "madds_mean")})
PY
}

run 0 sy train "$tiny" --data data --out m/served --quiet \
    --set domains='["glyphs","textures"]' --set paths='["0:0","1:0"]'
glyphs=$(answers m/served glyphs)
textures=$(answers m/served textures)

say "a night's search and training for one domain"
run 2 sy search "$tiny" --data data --out runs/night --domain glyphs
says err "give both"
night=(--data data --start m/served --domain glyphs --quiet)
run 0 sy search "$tiny" "${night[@]}" --out runs/night
run 0 sy train "$tiny" "${night[@]}" --paths runs/night/paths.json \
    --out m/night --set train.epochs=0.5

say "packed, signed, shown"
run 0 sy pack --make-key key
run 2 sy pack --make-key key
run 0 sy pack m/night --domain glyphs --out whole.pack --data data
run 0 sy pack m/night --domain glyphs --base m/served --data data \
    --sign key --out glyphs.pack --json
id=$(python3 -c 'import json; print(json.load(open("out"))["id"])')
[ "$(stat -c %s glyphs.pack)" -lt "$(stat -c %s whole.pack)" ] ||
    fail "the blocks that the base has were sent"
run 0 sy inspect glyphs.pack --json
python3 - <<'PY'
import json
pack = json.load(open("out"))
assert pack["network"] == "tiny" or pack["network"] == "served", pack
assert [d["name"] for d in pack["domains"]] == ["glyphs"], pack
assert pack["domains"][0]["probes"] == 16, pack
assert {"stem", "trunk"} <= set(pack["builds_on"]), pack
assert len(pack["signer"]) == 64 and pack["provenance"]["trained"], pack
PY
run 0 sy inspect glyphs.pack
says out "builds on"
printf x >>glyphs.pack
run 2 sy inspect glyphs.pack
run 0 sy pack m/night --domain glyphs --base m/served --data data \
    --sign key --out glyphs.pack

say "promoted: what CURRENT names, and the other domain as it was"
mkdir -p "m/served/packs/$id"
cp glyphs.pack "m/served/packs/$id/pack.safetensors"
printf '1\npack %s\n' "$id" >m/served/CURRENT
same "glyphs are answered by the night's work" \
    "$(answers m/served glyphs)" "$(answers m/night glyphs)"
[ "$(answers m/served glyphs)" != "$glyphs" ] || fail "nothing has changed"
same "textures are answered as before" "$(answers m/served textures)" \
    "$textures"
same "the version alone is as it was" "$(answers m/served/1 glyphs)" "$glyphs"

say "a domain is added, over what is served now"
more=(--data data --start m/served --domain colours --quiet)
run 0 sy search "$tiny" "${more[@]}" --out runs/more
run 0 sy train "$tiny" "${more[@]}" --paths runs/more/paths.json --out m/more
run 0 sy pack m/more --domain colours --base m/served --out colours.pack --json
second=$(python3 -c 'import json; print(json.load(open("out"))["id"])')
run 0 sy pack m/served --remove textures --out less.pack --json
third=$(python3 -c 'import json; print(json.load(open("out"))["id"])')
before=$(answers m/served glyphs)
for name in "$second:colours" "$third:less"; do
    mkdir -p "m/served/packs/${name%:*}"
    cp "${name#*:}.pack" "m/served/packs/${name%:*}/pack.safetensors"
done
printf '1\npack %s\npack %s\npack %s\n' "$id" "$second" "$third" \
    >m/served/CURRENT
same "the new domain is answered as it was trained" \
    "$(answers m/served colours)" "$(answers m/more colours)"
same "glyphs are answered as before" "$(answers m/served glyphs)" "$before"
run 2 sy eval m/served --data data --domain textures

say "a root gate is brought by a pack, alone or with domains"
run 2 sy pack m/more --domain colours --root --out root.pack
says err "has no root gate"
run 0 sy train "$tiny" --data data --out m/gated --quiet \
    --set domains='["glyphs","textures"]' --set paths='["0:0","1:0"]' \
    --set train.epochs=0.2 --set 'train.root={"passes":2,"images":200}'
run 0 sy pack m/gated --root --out root.pack
run 0 sy inspect root.pack
says out "root gate  glyphs textures"
run 0 sy pack m/gated --root --domain glyphs --base m/gated --out root.pack --json
fourth=$(python3 -c 'import json; print(json.load(open("out"))["id"])')
mkdir -p "m/gated/packs/$fourth"
cp root.pack "m/gated/packs/$fourth/pack.safetensors"
printf '1\npack %s\n' "$fourth" >m/gated/CURRENT
run 0 sy inspect m/gated
run 2 sy pack m/gated --root --base m/served --out root.pack
says err "not that of the base"

say "what is not there is said"
printf '1\npack 0123456789abcdef\n' >m/served/CURRENT
run 2 sy inspect m/served
says err "0123456789abcdef"
printf '1\npark %s\n' "$id" >m/served/CURRENT
run 2 sy inspect m/served
says err "CURRENT: line 2"
