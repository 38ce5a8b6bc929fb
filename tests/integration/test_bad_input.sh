#!/usr/bin/env bash
# Bad input of every kind: the right status, one message that names the file
# and the place, and nothing left behind.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

# refuse STATUS WORDS... -- COMMAND...: the command fails with that status, and
# the one line on stderr holds all the words; stdout and `made` stay empty.
refuse() {
    local status=$1 words=()
    shift
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    shift
    run "$status" "$@"
    [ ! -s out ] || fail "something on stdout: $*"
    [ "$(wc -l <err)" -eq 1 ] || fail "not one line on stderr: $*"
    for word in "${words[@]}"; do
        says err "$word"
    done
    local left
    left=$(find made/ -mindepth 1 2>/dev/null || true)
    [ -z "$left" ] || fail "left behind: $left"
    ! grep -qE 'FAILED|Sanitizer|assert' err || fail "a crash: $*"
    checked=$((checked + 1))
}
checked=0

train() { sy train "$tiny" --data data --out made/tiny --quiet "$@"; }
on() { train --set "domains=[\"$1\"]"; }

# Small domains: 40 images of 6 x 5 in three classes, whole and damaged.
python3 - <<'PY'
import gzip, os, struct

def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data)

def idx(sizes, values):
    return struct.pack(">BBBB", 0, 0, 8, len(sizes)) + \
        b"".join(struct.pack(">I", s) for s in sizes) + bytes(values)

def domain(name, change=lambda files: None):
    files = {}
    for part, count in (("train", 40), ("test", 10)):
        files[part + "-images-idx3-ubyte"] = idx(
            (count, 6, 5), [(i * 37 + i // 30) % 256 for i in range(count * 30)])
        files[part + "-labels-idx1-ubyte"] = idx(
            (count,), [i % 3 for i in range(count)])
    files["labels.txt"] = b"x\ny\nz\n"
    change(files)
    for file, data in files.items():
        put("data/%s/%s" % (name, file), data)

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"

def pack(files, keep=None):
    data = gzip.compress(files.pop(IMAGES), mtime=0)
    files[IMAGES + ".gz"] = data[:keep if keep else len(data)]

def header(*sizes):
    def change(files):
        files[IMAGES] = idx(sizes, files[IMAGES][16:])
    return change

def labels(values):
    def change(files):
        files[LABELS] = idx((len(values),), values)
    return change

def bytes_of(file, data):
    def change(files):
        files[file] = data
    return change

domain("good")
domain("packed", pack)
domain("cut-gzip", lambda f: pack(f, 60))
domain("cut-plain", lambda f: f.update({IMAGES: f[IMAGES][:-1]}))
domain("more-images", header(400, 6, 5))
domain("vast", header(0xffffffff, 0xffffffff, 0xffffffff))
domain("no-rows", header(40, 0, 5))
domain("bad-label", labels([200] + [i % 3 for i in range(39)]))
domain("few-labels", labels([i % 3 for i in range(39)]))
domain("text-idx", bytes_of(IMAGES, b"these are not images\n"))
domain("empty-idx", bytes_of(IMAGES, b""))
os.makedirs("data/nothing")
for part in ("train", "test"):
    for label in ("x", "y"):
        put("data/text-image/%s/%s/1.png" % (part, label), b"no picture\n")
PY

run 0 train --set 'domains=["good","packed"]'
rm -r made

# Data.
refuse 2 cut-gzip train-images -- on cut-gzip
refuse 2 cut-plain train-images -- on cut-plain
refuse 2 more-images train-images -- on more-images
refuse 2 vast train-images -- on vast
refuse 2 no-rows train-images -- on no-rows
refuse 2 bad-label labels.txt "201 classes" -- on bad-label
refuse 2 few-labels 39 40 -- on few-labels
refuse 2 text-idx train-images -- on text-idx
refuse 2 empty-idx train-images -- on empty-idx
refuse 2 data/nothing -- on nothing
refuse 2 text-image .png -- on text-image
refuse 2 data/absent "domains list" -- on absent
refuse 2 nowhere -- sy train "$tiny" --data nowhere --out made/tiny
refuse 2 nowhere -- sy domains list nowhere
refuse 2 data/good/labels.txt -- sy train "$tiny" --data data/good/labels.txt \
    --out made/tiny
say "damaged and missing data"

# Configurations, paths, names.
good=(--set 'domains=["good"]')
refuse 2 '"good" is named twice' -- train --set 'domains=["good","packed","good"]'
refuse 2 "paths[0]" "layer 1" "found 3" -- train "${good[@]}" --set 'paths=["0:3"]'
refuse 2 "paths[1]" "2 blocks" -- train "${good[@]}" --set 'paths=["0:0","0:0:0"]'
echo '{"domains":{"good":{"experts":[{"name":"main","path":"0:9"}]}}}' >paths.json
refuse 2 paths.json "layer 1" "found 9" -- train "${good[@]}" --paths paths.json
echo '{"domains":{"other":{"experts":[{"name":"main","path":"0:0"}]}}}' >paths.json
refuse 2 paths.json '"good"' -- train "${good[@]}" --paths paths.json
refuse 2 absent.json -- train "${good[@]}" --paths absent.json
refuse 2 tiny.json train.epoch 'did you mean "epochs"' -- train --set train.epoch=1
refuse 2 tiny.json train.batch -- train --set train.batch=many
refuse 2 "--set" -- train --set train.batch
sed 's/"epochs"/"epocs"/' "$tiny" >typo.json
refuse 2 typo.json train.epocs 'did you mean "epochs"' -- \
    sy train typo.json --data data --out made/tiny
head -c 200 "$tiny" >cut.json
refuse 2 cut.json: -- sy train cut.json --data data --out made/tiny
refuse 2 labels.txt:1 -- sy train data/good/labels.txt --data data --out made/tiny
refuse 2 absent.json -- sy train absent.json --data data --out made/tiny
refuse 2 data -- sy train data --data data --out made/tiny
refuse 2 made/a.b "letters, digits" -- sy train "$tiny" --data data --out made/a.b
refuse 2 made/7 -- sy train "$tiny" --data data --out made/7
refuse 2 "no checkpoint" made/tiny -- train "${good[@]}" --resume
say "wrong configurations, paths and names"

# Models.
run 0 sy train "$tiny" --data data --out repo/ok --quiet "${good[@]}"
run 0 sy domains sample data good image.png
# damage NAME SCRIPT: a copy of the model, changed by Python statements on
# `m`, model.json parsed, and `w`, the bytes of the weights.
damage() {
    mkdir -p "repo/$1"
    cp -r repo/ok/1 "repo/$1/1"
    python3 - "repo/$1/1" "$2" <<'PY'
import hashlib, json, re, struct, sys
folder, script = sys.argv[1:]
w = bytearray(open(folder + "/weights.safetensors", "rb").read())
# Fractions keep their text, for the digest is over it.
m = json.load(open(folder + "/model.json"), parse_float=lambda text: "@" + text)
def text(**how):
    return re.sub(r'"@([-+.0-9e]+)"', r"\1", json.dumps(m, **how))
def seal():
    """Makes the hashes fit the damage."""
    m["weights"]["sha256"] = hashlib.sha256(w).hexdigest()
    del m["digest"]
    short = text(sort_keys=True, separators=(",", ":"))
    m["digest"] = hashlib.sha256(short.encode()).hexdigest()
old = m["digest"]
seal()
assert m["digest"] == old, "the digest is not what this script takes it for"
before = text()
start = 8 + struct.unpack("<Q", w[:8])[0]
exec(script)
open(folder + "/weights.safetensors", "wb").write(w)
if text() != before:
    open(folder + "/model.json", "w").write(text())
PY
}
for command in "inspect" "eval --data data" "predict --domain good image.png" \
    "bench"; do
    # shellcheck disable=SC2086 # a list of words
    set -- $command
    refuse 2 repo/absent -- sy "$1" repo/absent "${@:2}"
    refuse 2 repo/ok/2 -- sy "$1" repo/ok/2 "${@:2}"
done
refuse 2 repo/absent -- sy latency build repo/absent --out table.json
damage flipped 'w[-5] ^= 1'
refuse 2 repo/flipped/1/weights.safetensors SHA-256 -- sy inspect repo/flipped
damage nan 'w[start:start+4] = struct.pack("<f", float("nan")); seal()'
refuse 2 repo/nan/1/weights.safetensors -- sy inspect repo/nan
damage short 'del w[-400:]; seal()'
refuse 2 repo/short/1/weights.safetensors -- sy inspect repo/short
damage long 'w += bytes(4); seal()'
refuse 2 repo/long/1/weights.safetensors -- sy inspect repo/long
damage noheader 'w[:8] = b"\xff" * 8; seal()'
refuse 2 repo/noheader/1/weights.safetensors -- sy inspect repo/noheader
damage none 'w.clear(); seal()'
refuse 2 repo/none/1/weights.safetensors -- sy inspect repo/none
damage unknown 'm["extra"] = 1; seal()'
refuse 2 repo/unknown/1/model.json extra -- sy inspect repo/unknown
damage channels 'm["network"]["layers"][0]["channels"] = 16; seal()'
refuse 2 repo/channels/1/ -- sy inspect repo/channels
damage path 'm["experts"][0]["path"] = "0:5"; seal()'
refuse 2 repo/path/1/model.json -- sy inspect repo/path
damage digest 'm["provenance"]["seed"] = 99'
refuse 2 repo/digest/1/model.json digest -- sy inspect repo/digest
cp -r repo/ok repo/cut
head -c 300 repo/ok/1/model.json >repo/cut/1/model.json
refuse 2 repo/cut/1/model.json: -- sy inspect repo/cut
cp -r repo/ok repo/noweights
rm repo/noweights/1/weights.safetensors
refuse 2 repo/noweights/1/weights.safetensors -- sy inspect repo/noweights
mkdir -p repo/empty
refuse 2 repo/empty "no version" -- sy inspect repo/empty
say "damaged models"

# Pictures and labels.
echo "no picture" >text.png
refuse 2 text.png "PNG or JPEG" -- sy predict repo/ok text.png
head -c 60 image.png >cut.png
refuse 2 cut.png -- sy predict repo/ok cut.png
refuse 2 absent.png -- sy predict repo/ok absent.png
refuse 2 '"other"' good -- sy predict repo/ok --domain other image.png
refuse 2 --index 10 -- sy domains sample data good made.png --index 10
cp -r data/good other
echo four >>other/labels.txt
mkdir other-data
mv other other-data/good
python3 - <<'PY'
import struct
path = "other-data/good/train-labels-idx1-ubyte"
data = bytearray(open(path, "rb").read())
data[8] = 3
open(path, "wb").write(data)
PY
refuse 2 other-data/good "4 classes" -- sy eval repo/ok --data other-data
say "pictures, and data of another model"

# Places that cannot be written.
refuse 1 /proc/none -- sy train "$tiny" --data data --out /proc/none/m \
    "${good[@]}" --quiet
refuse 1 /proc/none -- sy domains make /proc/none --only glyphs
refuse 2 /proc/none.png -- sy domains sample data good /proc/none.png
touch file
refuse 2 file -- sy train "$tiny" --data data --out file/m "${good[@]}" --quiet
say "places that cannot be written"

# A full disk: a small tmpfs where one may mount, else a limit of file sizes.
mkdir full
if mount -t tmpfs -o size=12k none full 2>/dev/null; then
    full() { "$@"; }
    trap 'umount "$work/full" 2>/dev/null || true; cleanup' EXIT
    say "a full disk: tmpfs"
else
    full() { (
        trap '' XFSZ
        ulimit -f 4
        "$@"
    ); }
    say "a full disk: limit of file sizes"
fi
refuse 1 full/m weights.safetensors -- full sy train "$tiny" --data data \
    --out full/m "${good[@]}" --quiet
[ -z "$(find full -type f)" ] || fail "left on a full disk: $(find full)"
[ ! -e full/m/1 ] || fail "a version on a full disk"
rm -r full/m
refuse 1 full/d -- full sy domains make full/d --only glyphs
[ -z "$(find full -type f)" ] || fail "left on a full disk: $(find full)"

say "$checked wrong inputs refused"
