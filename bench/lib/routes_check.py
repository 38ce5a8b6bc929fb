"""bench/routes --check: the statistics against numbers known from elsewhere,
the rare task's folders on made-up images, and the verdicts on made-up scores.
Nothing is trained and no clock is looked at.
"""
import contextlib
import io
import os
import tempfile

import routes_rare
from study import Study, interval, mcnemar, sign_flip


def near(found, expected):
    assert abs(found - expected) < 1e-4, (found, expected)


def check_statistics():
    # R: binom.test(198, 200)$conf.int, binom.test(0, 10)$conf.int
    low, high = interval(198, 200)
    near(low, 0.96434)
    near(high, 0.99879)
    low, high = interval(0, 10)
    near(low, 0.0)
    near(high, 0.30850)
    near(mcnemar(10, 2), 79 / 4096)
    near(sign_flip([1, 1, 1]), 1 / 8)
    near(sign_flip([0.25, -0.25]), 3 / 4)


def check_folders():
    """1000 test images of ten classes: all of the class in `only`, in `mix` one
    in fifty."""
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, routes_rare.DOMAIN)
        os.mkdir(source)
        images = [bytes([i % 256] * 4) for i in range(1000)]
        labels = [i % 10 for i in range(1000)]
        for prefix in ("train", "test"):
            routes_rare.write_part(source, prefix, (2, 2), images, labels)
        study = Study(os.path.join(folder, "out"), folder, 1)
        counts = routes_rare.make_folders(study)
        assert counts == {"there": 100, "mix": 900 + 18}, counts
        for name, there, n in (("mix", 18, 918), ("only", 100, 100)):
            shape, kept, marks = routes_rare.read_part(
                study.path("rare", name, "rare"), ["test"])
            assert shape == (2, 2) and len(kept) == len(marks) == n
            assert sum(marks) == there


def refused(step):
    try:
        step()
    except SystemExit as end:
        return str(end)
    raise AssertionError("taken for the same step")


def check_steps():
    """What was made of something else is not taken for this step."""
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            file.write('{"seed": 1}')
        study = Study(os.path.join(folder, "out"), "data", 1)
        jobs = []

        def job(_what, _config, out, *_more):
            jobs.append(out)
            os.makedirs(os.path.join(out, "1"))
            with open(os.path.join(out, "1", "model.json"), "w",
                      encoding="utf-8") as file:
                file.write("{}")
        study.job = job
        study.evaluate = lambda model, *_more: {"model": model}

        def train(start, **sets):
            return study.train("m", config, sets, "--start", start)
        model = train("a")
        assert train("a") == model and jobs == [model], jobs
        said = refused(lambda: train("b"))
        assert 'words is "--start a" there and "--start b" here' in said, said
        said = refused(lambda: train("a", seed=2))
        assert "sets.seed is null there and 2 here" in said, said
        with open(config, "w", encoding="utf-8") as file:
            file.write('{"seed": 3}')
        said = refused(lambda: train("a"))
        assert "config.seed is 1 there and 3 here" in said, said
        assert study.evaluated("e", model) == {"model": model}
        said = refused(lambda: study.evaluated("e", "b"))
        assert '"OUT/models/m" there and "b" here' in said, said
        study.evaluate = None  # not asked again, in whatever folder it lies
        os.rename(study.out, study.out + "2")
        study.out += "2"
        moved = os.path.join(study.out, "models", "m")
        assert study.evaluated("e", moved) == {"model": model}


def scores_of(cascade, single, main):
    """One domain, four images; e1 costs a little more than the cascade."""
    def row(right, madds, experts, nll):
        return {"d": {"n": 4, "top1": right.count("1") / 4, "nll": nll,
                      "madds_mean": madds, "right": right,
                      "experts": experts}}
    both = [{"name": "e0", "ran": 4, "answered": 3},
            {"name": "main", "ran": 1, "answered": 1}]
    one = [{"name": "x", "ran": 4, "answered": 4}]
    return {"cascade": row(cascade, 40.0, both, 0.5),
            "gate": row(cascade, 40.0, both, 0.5),
            "ensemble": row(main, 150.0, both, 0.3),
            "e0": row("1000", 20.0, one, 0.9),
            "e1": row(single, 50.0, one, 0.6),
            "main": row(main, 100.0, one, 0.4)}


def check_verdicts(routes):
    rights = {1: "1100", 2: "0000", 3: "1110"}  # of the single expert
    seeds = {s: scores_of("1111", right, "1111") for s, right in rights.items()}
    us = {s: {"cascade": {"d": 5.0}, "main": {"d": 10.0}} for s in seeds}
    assert routes.opponent(seeds[1], "cascade", "d") == "e1"
    dear = scores_of("1111", "1100", "1111")
    for cost, expert in ((50.0, "e1"), (51.0, "main"), (101.0, "main")):
        dear["cascade"]["d"]["madds_mean"] = cost  # never a cheaper one
        assert routes.opponent(dear, "cascade", "d") == expert, cost
    goals = routes.Goals()
    routes.judge_kind(goals, seeds, us, "cascade", 0.01)
    routes.judge_ensemble(goals, seeds)
    found = {row["case"]: row for row in goals.rows}
    near(found["cascade: below the largest expert"]["ours"], 0.0)
    near(found["cascade: MAdds over the largest's"]["ours"], 0.4)
    near(found["cascade: time over the largest's, batch 1"]["ours"], 0.5)
    near(found["cascade: above the cheapest single expert that costs no less"]
         ["ours"], 175 / 3)
    near(found["cascade: that by chance, 1 domains, means over seeds, signs "
               "flipped"]["ours"], 1 / 2)  # however many seeds
    near(found["cascade: that by chance, images, McNemar, the worst of 3 "
               "seeds"]["ours"], 1 / 2)
    near(found["cascade: promises (at most 0.01 made worse, with probability "
               "0.9) that hold on test images"]["ours"], 1)
    near(routes.made_worse({"right": "0101"}, {"right": "1100"}), 1 / 4)
    near(found["ensemble: mean NLL over its best member's"]["ours"], 0.75)


def check(routes):
    check_statistics()
    check_folders()
    check_steps()
    with contextlib.redirect_stdout(io.StringIO()):  # of made-up goals
        check_verdicts(routes)
    print("routes: statistics, folders and verdicts as they should be")
