#!/usr/bin/env bash
# Every command: its help, its answer to wrong use, the keys of its JSON.
set -euo pipefail
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

# Wrong use of the program itself.
run 2 sy
says err "usage: switchyard COMMAND"
[ ! -s out ] || fail "complaints belong on stderr"
run 2 sy trian
says err 'did you mean "train"?'
run 2 sy qqqqqqqq
says err 'no command "qqqqqqqq"'
run 2 sy help trian
says err 'did you mean "train"?'
run 0 sy --version
says out switchyard
run 0 sy help
cp out commands

# Every command that help lists.
names=$(sed -n '/^commands:/,/^$/s/^  \([a-z]\{1,\}\) .*/\1/p' commands)
[ "$(wc -w <<<"$names")" -ge 7 ] || fail "help lists: $names"
for name in domains train eval inspect predict serve export bench latency load report; do
    grep -qw "$name" <<<"$names" || fail "help does not list $name"
done
for name in $names; do
    run 0 sy "$name" --help
    says out "usage: switchyard $name"
    says out "example:"
    grep -A1 '^example:' out | grep -q "switchyard $name" ||
        fail "$name: the example does not use it"
    [ ! -s err ] || fail "$name --help writes to stderr"
    cp out help
    run 0 sy help "$name"
    cmp -s out help || fail "help $name differs from $name --help"
    run 2 sy "$name" --jsno
    says err "did you mean --json?"
    run 2 sy "$name"
    says err "usage: switchyard $name"
done
say "help and wrong use of:" $names
run 2 sy train x.json --data d
says err "missing option: out"
run 2 sy train x.json --data
says err "needs a value"
run 2 sy train x.json --data d --out m --threads 0
says err "whole number from 1"
run 2 sy train x.json --data d --out m --threads two
says err 'found "two"'
run 2 sy train x.json y.json --data d --out m
says err "unexpected argument: y.json"
run 2 sy inspect m --json=yes
says err "takes no value"
run 2 sy domains lits d
says err 'did you mean "list"?'
run 2 sy domains list
! grep -q "did you mean" err || fail "the right word is no better guess"
run 0 sy inspect -h
says out "usage: switchyard inspect"
run 2 sy inspect -v
says err "unknown option: -v"
run 2 sy domains make d --only ''
says err 'called ""'
run 2 sy domains fetch nosuch d
says err "\`domains fetch\` lists them"
run 2 sy domains make d --only glyphs,glifs
says err '"glifs"'
[ ! -e d ] || fail "a wrong name of two makes something"

# A model to ask.
run 0 sy domains make data --only glyphs,colours --seed 3 --json
python3 -c 'import json; assert json.load(open("out")) == {"domains": ["glyphs", "colours"]}'
run 0 sy train "$tiny" --data data --out repo/tiny --quiet \
    --set 'domains=["glyphs","colours"]'
model=repo/tiny

# keys SCRIPT: stdout is one JSON document `d`, for which the script holds.
keys() {
    python3 -m json.tool out >/dev/null || fail "no JSON: $(head -c 300 out)"
    python3 -c "
import json
d = json.load(open('out'))
$1" || fail "the JSON does not hold what it should: $(head -c 600 out)"
}

run 0 sy domains list data --json
keys "
assert [x['name'] for x in d['domains']] == ['colours', 'glyphs']
for x in d['domains']:
    assert set(x) == {'name', 'format', 'classes', 'height', 'width', 'channels', 'train', 'test'}
    assert (x['train'], x['test']) == (4000, 1000)"
run 0 sy eval $model --data data --json
cp out eval.json
keys "
rows = {x['name']: x for x in d['domains']}
assert set(d) >= {'domains', 'mean', 'params'} and set(rows) == {'glyphs', 'colours'}
want = {'name', 'n', 'top1', 'nll', 'ece', 'params', 'madds_mean', 'us_mean', 'ece_uncalibrated'}
for x in rows.values():
    assert set(x) >= want and x['n'] == 1000, x
    assert 0 <= x['top1'] <= 1 and 0 <= x['ece'] <= 1 and x['nll'] > 0
    assert 0 < x['params'] <= d['params'] and x['us_mean'] > 0
assert set(d['mean']) >= {'top1', 'nll', 'ece', 'madds_mean'}
mean = sum(x['top1'] for x in rows.values()) / 2
assert abs(d['mean']['top1'] - mean) < 1e-9"
run 0 sy eval $model/1 --data data --domain glyphs --json --threads 1
keys "
whole = json.load(open('eval.json'))
assert [x['name'] for x in d['domains']] == ['glyphs']
assert d['domains'][0]['top1'] == whole['domains'][0]['top1']
assert d['domains'][0]['nll'] == whole['domains'][0]['nll']"
say "eval"
run 0 sy inspect $model --tensors --json
keys "
whole = json.load(open('eval.json'))
assert set(d) >= {'domains', 'layers', 'blocks', 'experts', 'routes', 'jaccard', 'tensors'}
assert len(d['layers']) == 2 and d['params'] == whole['params']
for x in d['blocks']:
    assert set(x) >= {'layer', 'block', 'kind', 'params', 'madds', 'used_by'} and x['used_by']
for x in d['experts']:
    assert set(x) >= {'domain', 'name', 'path', 'madds', 'params'}
for e, w in zip(d['experts'], whole['domains']):
    assert e['madds'] == w['madds_mean'] and e['params'] == w['params'], (e, w)
n = len(d['jaccard']['names'])
m = d['jaccard']['matrix']
assert n == 2 and len(m) == n and all(len(r) == n for r in m)
assert all(m[i][i] == 1 and m[i][j] == m[j][i] and 0 <= m[i][j] <= 1 for i in range(n) for j in range(n))
count = 0
for t in d['tensors']:
    size = 1
    for k in t['shape']:
        size *= k
    count += size
assert count == d['params'], (count, d['params'])"
say "inspect"
run 0 sy domains sample data glyphs image.png --index 4
[ -s out ] || fail "sample prints no label"
run 0 sy domains sample data colours other.png --json
keys "
assert set(d) == {'domain', 'index', 'label', 'file'} and d['label']
assert (d['domain'], d['index'], d['file']) == ('colours', 0, 'other.png')"
run 0 sy predict $model --domain glyphs image.png other.png --json
keys "
assert [x['file'] for x in d] == ['image.png', 'other.png']
for x in d:
    assert set(x) >= {'file', 'domain', 'label', 'probability', 'top'} and x['domain'] == 'glyphs'
    p = [t['probability'] for t in x['top']]
    assert len(p) == 5 and p == sorted(p, reverse=True) and 0 < sum(p) <= 1 + 1e-6
    assert x['top'][0] == {'label': x['label'], 'probability': x['probability']}"
say "predict"
run 0 sy export $model --domain glyphs --out glyphs.onnx --json
keys "
import os
assert (d['file'], d['domain'], d['expert'], d['snapshot']) == ('glyphs.onnx', 'glyphs', 'main', 'tiny/1')
assert d['opset'] == 17 and d['nodes'] > 0 and d['numbers'] > 0
assert d['bytes'] == os.path.getsize('glyphs.onnx') > 4 * d['numbers']"
run 2 sy export $model --domain glifs --out x.onnx
says err "there are: glyphs, colours"
run 2 sy export $model --domain glyphs --expert none --out x.onnx
says err "it has: main"
run 2 sy export $model --domain glyphs --out no/such/x.onnx
says err "no/such/x.onnx"
[ ! -e x.onnx ] || fail "a failed export leaves a file"
say "export"
run 0 sy bench $model --json
keys "
assert set(d) >= {'kernels', 'experts', 'rank_correlation'} and len(d['experts']) == 2
for x in d['experts']:
    assert x['us_median'] > 0 and x['us_p95'] >= x['us_median'] and x['madds'] > 0
    assert len(x['blocks']) == 5
    assert sum(b['madds'] for b in x['blocks']) == x['madds']"
say "bench"
# Of a model as of its configuration; times are those of a busy machine, so a
# warning that they are off is no failure.
for what in $model "$tiny"; do
    run 0 sy latency build "$what" --out table.json --rounds 5 --json
    keys "
file = json.load(open('table.json'))
assert file['network'] == d['network'] and set(file) == set(d)
assert set(d) == {'kind', 'version', 'name', 'program', 'machine', 'network', 'stem_us',
                  'trunk_us', 'heads', 'blocks_us', 'correction', 'check'}
assert [len(x['blocks']) for x in d['network']['layers']] == [len(x) for x in d['blocks_us']]
assert d['check']['fit_paths'] >= 1 and len(d['check']['paths']) == d['check']['test_paths']"
    run 0 sy latency build "$what" --out table.json --rounds 5
    says out "written to table.json"
done
run 2 sy latency bild "$tiny" --out table.json
says err "expected build"
run 2 sy latency build "$tiny" --out no/such/table.json
says err "no/such/table.json"
say "latency"
run 2 sy report none
says err "nothing to report"

# Output that cannot be written is a failure, and said.
for how in "" --json; do
    # shellcheck disable=SC2086 # none or one word
    status=0
    sy inspect $model $how >/dev/full 2>err || status=$?
    [ "$status" -eq 1 ] || fail "a full stdout: status $status"
    [ -s err ] || fail "a full stdout is not complained about"
done
say "a full stdout"

# The same for people.
for command in "domains list data" "eval $model --data data" \
    "inspect $model --tensors" "predict $model --domain colours other.png" \
    "export $model --domain colours --out colours.onnx" \
    "bench $model"; do
    # shellcheck disable=SC2086 # a list of words
    run 0 sy $command
    [ -s out ] || fail "$command prints nothing"
    [ ! -s err ] || fail "$command writes to stderr"
done
