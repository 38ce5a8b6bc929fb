/* test_config.c - reading, overriding and refusing configurations. */
#include "search/config.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

#define NETWORK                                                                \
    "\"network\":{\"input\":{\"height\":8,\"width\":6},"                       \
    "\"stem\":{\"kind\":\"conv\",\"channels\":8,\"stride\":2},"                \
    "\"layers\":[{\"channels\":8,\"blocks\":[{\"kind\":\"conv\"},"             \
    "{\"kind\":\"zero\"}]},{\"channels\":16,\"stride\":2,\"blocks\":["         \
    "{\"kind\":\"mbconv\",\"kernel\":5},{\"kind\":\"fused\"}]}],"              \
    "\"head\":{\"kind\":\"classify\",\"width\":8}}"

static const char small_text[] =
    "{\"name\":\"small\",\"domains\":[\"a\",\"b\",\"c\"]," NETWORK
    ",\"train\":{}}";

static const char full_text[] =
    "{\"name\":\"full\",\"seed\":9,\"domains\":[\"a\",\"b-2\",\"c_3\"]," NETWORK
    ",\"paths\":[\"0:1\",\"1:0\"],\"train\":{\"epochs\":2.5,\"batch\":12,"
    "\"optimiser\":{\"kind\":\"adamw\",\"rate\":0.5,\"momentum\":0.25,"
    "\"nesterov\":false,\"rho\":0.75,\"beta1\":0.125,\"epsilon\":0.01,"
    "\"decay\":0.003},\"warmup\":0.2,\"label_smoothing\":0.3,\"ema\":0.4,"
    "\"holdout\":0.5,\"use_holdout\":true,\"calibration\":0.25,"
    "\"balance_classes\":true,"
    "\"balance_domains\":false,\"norm_momentum\":0.6,"
    "\"checkpoint_every_s\":7,\"shards\":3,"
    "\"weights\":{\"kind\":\"abdp\",\"gamma\":1.5,\"rate\":0.5,\"memory\":0.25,"
    "\"temperature\":3,\"floor\":0.75},"
    "\"routes\":{\"kind\":\"cascade\",\"exit\":\"reject\",\"epsilon\":0.25,"
    "\"delta\":0.375,\"cost\":0.5,\"detection\":0.75,"
    "\"background\":\"none\",\"members\":5,\"experts\":[\"main\",\"e1\"]},"
    "\"augment\":{\"shift\":4,\"cutout\":5,\"flip\":[\"c_3\",\"elsewhere\"]}}}";

static const char search_text[] =
    "{\"name\":\"s\",\"domains\":[\"a\",\"b\",\"c\"]," NETWORK
    ",\"search_passes\":3.5,\"train_passes\":2,"
    "\"fractions\":{\"b\":0.25,\"elsewhere\":0.5},"
    "\"train\":{\"batch\":12,\"optimiser\":{\"rate\":0.3}},"
    "\"search\":{\"target\":5000,\"targets\":{\"c\":7000.5,\"z\":1},"
    "\"op_warmup\":0.2,\"op_warmup_from\":0.7,\"width_warmup\":0.1,\"reward_"
    "batch\":24,"
    "\"reward_paths\":3,\"final_paths\":5,\"common_path\":true,\"optimiser\":{"
    "\"momentum\":0.5},"
    "\"reward\":{\"kind\":\"mnas\",\"exponent\":-0.2,\"cost\":\"params\","
    "\"latency_table\":\"t.json\",\"sharing\":0.3,\"joint\":0.4},"
    "\"controller\":{\"kind\":\"random\",\"travel\":9,\"growth\":5,"
    "\"delay\":0.3,\"baseline\":0.8,\"batch_baseline\":false,"
    "\"entropy\":0.01}}}";

static struct nas_config config;
static struct sy_error err;

/* Loads a text with up to two overrides. */
static enum sy_status load(const char *text, const char *first,
                           const char *second)
{
    const char *set[2] = {first, second};
    int count = (first != NULL) + (second != NULL);
    sy_put_text("config.json", text);
    return nas_config_load(&config, sy_check_path("config.json"), set, count,
                           &err);
}

START_TEST(every_key_is_read)
{
    sy_check_ok(load(full_text, NULL, NULL), err);
    const struct nas_train_config *train = &config.train;
    const struct nas_optimiser_config *optimiser = &train->optimiser;
    ck_assert_str_eq(config.name, "full");
    ck_assert_uint_eq(config.seed, 9);
    ck_assert_int_eq(config.domain_count, 3);
    ck_assert_str_eq(config.domain[1], "b-2");
    ck_assert_int_eq(config.network.layer_count, 2);
    ck_assert_int_eq(config.network.layer[1].block[0].spec.kernel, 5);
    ck_assert_int_eq(config.path_count, 2);
    ck_assert_str_eq(config.path[0], "0:1");
    ck_assert_double_eq(train->epochs, 2.5);
    ck_assert_int_eq(train->batch, 12);
    ck_assert_double_eq(train->warmup, 0.2);
    ck_assert_double_eq(train->smoothing, 0.3);
    ck_assert_double_eq(train->ema, 0.4);
    ck_assert_double_eq(train->holdout, 0.5);
    ck_assert(train->use_holdout && train->balance_classes);
    ck_assert_double_eq(train->calibration, 0.25);
    ck_assert_int_eq((int)train->routes.kind, NAS_ROUTE_CASCADE);
    ck_assert_int_eq(train->routes.exit, NAS_EXIT_REJECT);
    ck_assert_double_eq(train->routes.epsilon, 0.25);
    ck_assert_double_eq(train->routes.delta, 0.375);
    ck_assert_double_eq(train->routes.cost, 0.5);
    ck_assert_double_eq(train->routes.detection, 0.75);
    ck_assert_str_eq(train->routes.background, "none");
    ck_assert_int_eq(train->routes.members, 5);
    ck_assert_int_eq(train->routes.expert_count, 2);
    ck_assert_str_eq(train->routes.expert[1], "e1");
    ck_assert(!train->balance_domains);
    ck_assert_double_eq(train->norm_momentum, 0.6);
    ck_assert_double_eq(train->checkpoint_every_s, 7);
    ck_assert_int_eq(train->shards, 3);
    ck_assert_int_eq((int)train->weighting.kind, NAS_WEIGHT_ABDP);
    ck_assert_double_eq(train->weighting.gamma, 1.5);
    ck_assert_double_eq(train->weighting.rate, 0.5);
    ck_assert_double_eq(train->weighting.memory, 0.25);
    ck_assert_double_eq(train->weighting.temperature, 3);
    ck_assert_double_eq(train->weighting.floor, 0.75);
    ck_assert_int_eq((int)optimiser->kind, NAS_ADAMW);
    ck_assert_double_eq(optimiser->rate, 0.5);
    ck_assert_double_eq(optimiser->momentum, 0.25);
    ck_assert(!optimiser->nesterov);
    ck_assert_double_eq(optimiser->rho, 0.75);
    ck_assert_double_eq(optimiser->beta1, 0.125);
    ck_assert_double_eq(optimiser->epsilon, 0.01);
    ck_assert_double_eq(optimiser->decay, 0.003);
    ck_assert_int_eq(train->shift, 4);
    ck_assert_int_eq(train->cutout, 5);
    nas_config_release(&config);
    ck_assert_ptr_null(config.effective);
    nas_config_release(&config);
}
END_TEST

START_TEST(every_key_of_a_search_is_read)
{
    sy_check_ok(load(search_text, NULL, NULL), err);
    const struct nas_search_config *search = &config.search;
    ck_assert(search->given && search->common_path);
    ck_assert_double_eq(search->passes, 3.5);
    ck_assert_double_eq(config.train.epochs, 2);
    ck_assert_double_eq(config.fraction[0], 1);
    ck_assert_double_eq(config.fraction[1], 0.25);
    ck_assert_double_eq(search->target[0], 5000);
    ck_assert_double_eq(search->target[2], 7000.5);
    ck_assert_double_eq(search->op_warmup, 0.2);
    ck_assert_double_eq(search->op_warmup_from, 0.7);
    ck_assert_double_eq(search->width_warmup, 0.1);
    ck_assert_int_eq(search->reward_batch, 24);
    ck_assert_int_eq(search->reward_paths, 3);
    ck_assert_int_eq(search->final_paths, 5);
    /* The supernet's optimiser begins as that of the training. */
    ck_assert_double_eq(search->optimiser.rate, 0.3);
    ck_assert_double_eq(search->optimiser.momentum, 0.5);
    ck_assert_double_eq(config.train.optimiser.momentum, 0.9);
    ck_assert_int_eq((int)search->reward.kind, NAS_REWARD_MNAS);
    ck_assert_int_eq((int)search->reward.cost, NAS_COST_PARAMS);
    ck_assert_str_eq(search->latency_table, "t.json");
    ck_assert_double_eq(search->reward.exponent, -0.2);
    ck_assert_double_eq(search->reward.sharing, 0.3);
    ck_assert_double_eq(search->reward.joint, 0.4);
    ck_assert_int_eq((int)search->controller.kind, NAS_CONTROLLER_RANDOM);
    ck_assert_double_eq(search->controller.travel, 9);
    ck_assert_double_eq(search->controller.growth, 5);
    ck_assert_double_eq(search->controller.delay, 0.3);
    ck_assert_double_eq(search->controller.baseline, 0.8);
    ck_assert(!search->controller.batch_baseline);
    ck_assert_double_eq(search->controller.entropy, 0.01);
    nas_config_release(&config);
}
END_TEST

static const char compare_text[] =
    "{\"name\":\"s\",\"seed\":7,\"domains\":[\"a\",\"b\",\"c\"]," NETWORK
    ",\"train_passes\":8,\"train\":{},\"search\":{\"target\":5000},"
    "\"compare\":{\"target\":9000,\"share\":0.5,\"backbone\":\"0:1\","
    "\"pretrain\":\"elsewhere\",\"strategies\":[\"mpnas\",\"independent\"],"
    "\"seeds\":[3,1],\"rates\":[0.1,0.2],\"rate_domains\":[\"c\"],"
    "\"rate_passes\":2.5,\"losses\":[\"ratio\",\"uniform\"],"
    "\"random_paths\":4,\"without\":[\"b\"]}}";

START_TEST(every_key_of_a_comparison_is_read)
{
    sy_check_ok(load(compare_text, NULL, NULL), err);
    const struct nas_compare_config *c = &config.compare;
    ck_assert(c->given && c->target == 9000 && c->share == 0.5);
    ck_assert_str_eq(c->backbone, "0:1");
    ck_assert_str_eq(c->pretrain, "elsewhere");
    ck_assert(c->runs[NAS_MPNAS] && c->runs[NAS_INDEPENDENT]);
    ck_assert(!c->runs[NAS_MULTI_HEAD_NAS] && !c->runs[NAS_SINGLE_PATH_JOINT]);
    ck_assert(c->seed_count == 2 && c->seed[0] == 3 && c->seed[1] == 1);
    ck_assert(c->rate_count == 2 && c->rate[0] == 0.1 && c->rate[1] == 0.2);
    ck_assert_int_eq(c->rate_domain_count, 1);
    ck_assert_str_eq(c->rate_domain[0], "c");
    ck_assert(c->rate_passes == 2.5 && c->random_paths == 4);
    ck_assert(c->loss_count == 2 && c->loss[0] == NAS_WEIGHT_RATIO &&
              c->loss[1] == NAS_WEIGHT_UNIFORM);
    ck_assert_int_eq(c->without_count, 1);
    ck_assert_str_eq(c->without[0], "b");
    nas_config_release(&config);
}
END_TEST

START_TEST(what_a_comparison_leaves_out_has_its_default)
{
    sy_check_ok(load(compare_text,
                     "compare={\"target\":1,\"backbone\":\"1:0\","
                     "\"pretrain\":\"a\"}",
                     NULL),
                err);
    const struct nas_compare_config *c = &config.compare;
    ck_assert(c->share == 0.68 && c->rate_passes == 2 && c->rate_count == 0);
    ck_assert(c->seed_count == 1 && c->seed[0] == 7);
    ck_assert(c->loss_count == 0 && c->random_paths == 0);
    ck_assert_int_eq(c->rate_domain_count, 3);
    for (int s = 0; s < NAS_STRATEGIES; s++) {
        ck_assert(c->runs[s]);
    }
    nas_config_release(&config);
    sy_check_ok(load(search_text, NULL, NULL), err);
    ck_assert(!config.compare.given);
    nas_config_release(&config);
}
END_TEST

START_TEST(a_wrong_comparison_is_named_with_its_place)
{
    static const struct {
        const char *set, *says;
    } wrong[] = {
        {"compare.backbone=9:0", "compare.backbone: "},
        {"compare.pretrain=a.b", "\"a.b\" is no domain name"},
        {"compare.seeds=[1,1]", "1 is named twice"},
        {"compare.seeds=[1.5]", "entry 0 is not a whole number"},
        {"compare.rates=[0.2,0.1]", "rising numbers"},
        {"compare.losses=[\"best\"]", "entry 0 is no kind of train.weights"},
        {"compare.losses=[\"log\",\"log\"]", "\"log\" is named twice"},
        {"compare.strategies=[\"luck\"]", "entry 0 is no strategy"},
        {"compare.strategies=[\"independent\"]", "need the paths of"},
        {"compare.random_paths=33", "from 0 to 32"},
        {"compare.luck=1", "unknown key"},
    };
    const char *set = wrong[_i].set;
    ck_assert_int_eq(load(compare_text, set, NULL), SY_BAD_INPUT);
    ck_assert_msg(strstr(err.message, wrong[_i].says) != NULL, "%s: %s", set,
                  err.message);
}
END_TEST

START_TEST(what_a_search_may_leave_fits_into_one_network)
{
    char domains[SY_MAX_DOMAINS * 8] = "domains=[\"d0\"";
    for (int d = 1; d < SY_MAX_DOMAINS; d++) {
        size_t used = strlen(domains);
        (void)snprintf(domains + used, sizeof domains - used, ",\"d%d\"%s", d,
                       d + 1 == SY_MAX_DOMAINS ? "]" : "");
    }
    sy_check_ok(load(small_text, domains,
                     "search={\"target\":5,\"ensemble\":{\"members\":4}}"),
                err); /* 64 x (1 + 3) */
    nas_config_release(&config);
    sy_check_ok(load(small_text, domains, "search={\"target\":[5,6,7,8]}"),
                err);
    nas_config_release(&config);
    sy_check_fails(load(small_text, domains,
                        "search={\"target\":5,\"targets\":{\"d9\":[5,6]},"
                        "\"ensemble\":{\"members\":4}}"),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "search.ensemble: 64 domains");
    sy_check_says(err, "up to 257 experts, and a network has at most 256");
    ck_assert_ptr_null(config.effective);
}
END_TEST

START_TEST(a_search_takes_from_training_what_it_leaves_out)
{
    sy_check_ok(load(small_text, "search.target=100", "train.batch=20"), err);
    const struct nas_search_config *search = &config.search;
    ck_assert(search->given && !search->common_path);
    ck_assert_int_eq(search->reward_batch, 20);
    ck_assert_int_eq(search->reward_paths, 4);
    ck_assert_int_eq(search->final_paths, 16);
    ck_assert_int_eq(search->ensemble.members, 0);
    nas_config_release(&config);
    sy_check_ok(load(small_text, "search.target=100",
                     "search.ensemble={\"paths\":9,\"population\":4}"),
                err);
    ck_assert_int_eq(search->ensemble.members, 3);
    ck_assert_int_eq(search->ensemble.paths, 9);
    ck_assert_int_eq(search->ensemble.population, 4);
    nas_config_release(&config);
    sy_check_ok(load(small_text, "search.target=100", "train.batch=20"), err);
    ck_assert_double_eq(search->optimiser.rate, 0.1);
    ck_assert_double_eq(search->op_warmup, 0.25);
    ck_assert_double_eq(search->controller.travel, 100);
    nas_config_release(&config);
    sy_check_ok(load(small_text, NULL, NULL), err);
    ck_assert(!config.search.given);
    nas_config_release(&config);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
    sy_check_ok(load(small_text, NULL, NULL), err);
    const struct nas_train_config *train = &config.train;
    ck_assert_uint_eq(config.seed, 1);
    ck_assert_int_eq(config.path_count, 0);
    ck_assert_double_eq(train->epochs, 15);
    ck_assert_int_eq(train->batch, 64);
    ck_assert_double_eq(train->warmup, 0.05);
    ck_assert_double_eq(train->smoothing, 0.1);
    ck_assert_double_eq(train->ema, 0.998);
    ck_assert_double_eq(train->holdout, 0.1);
    ck_assert(!train->use_holdout && !train->balance_classes);
    ck_assert_double_eq(train->calibration, 0.02);
    ck_assert_int_eq((int)train->routes.kind, NAS_ROUTE_EXPERT);
    ck_assert_int_eq(train->routes.exit, SY_SURE_CONFIDENCE);
    ck_assert_double_eq(train->routes.epsilon, 0.005);
    ck_assert_double_eq(train->routes.delta, 0.1);
    ck_assert_double_eq(train->routes.cost, 0);
    ck_assert_double_eq(train->routes.detection, 0.995);
    ck_assert_int_eq(train->routes.members, 3);
    ck_assert(train->balance_domains);
    ck_assert_double_eq(train->norm_momentum, 0.02);
    ck_assert_double_eq(train->checkpoint_every_s, 60);
    ck_assert_int_eq(train->shards, 8);
    ck_assert_int_eq(train->shift, 0);
    ck_assert_int_eq(train->cutout, 0);
    ck_assert_int_eq((int)train->weighting.kind, NAS_WEIGHT_UNIFORM);
    ck_assert_double_eq(train->weighting.gamma, 1);
    ck_assert_double_eq(train->weighting.rate, 0.025);
    ck_assert_double_eq(train->weighting.memory, 0.9);
    ck_assert_double_eq(train->weighting.temperature, 2);
    ck_assert_double_eq(train->weighting.floor, 0.1);
    ck_assert_int_eq((int)train->optimiser.kind, NAS_SGD);
    ck_assert_double_eq(train->optimiser.rate, 0.1);
    ck_assert_double_eq(train->optimiser.decay, 1e-4);
    nas_config_release(&config);
}
END_TEST

START_TEST(an_optimiser_has_the_defaults_of_its_kind)
{
    sy_check_ok(load(small_text, "train.optimiser.kind=rmsprop", NULL), err);
    ck_assert_int_eq((int)config.train.optimiser.kind, NAS_RMSPROP);
    ck_assert_double_eq(config.train.optimiser.rho, 0.9);
    ck_assert_double_eq(config.train.optimiser.epsilon, 1e-3);
    nas_config_release(&config);
}
END_TEST

START_TEST(flips_of_unknown_domains_are_ignored)
{
    sy_check_ok(load(full_text, NULL, NULL), err);
    ck_assert(!config.flip[0]);
    ck_assert(!config.flip[1]);
    ck_assert(config.flip[2]);
    nas_config_release(&config);
}
END_TEST

START_TEST(overrides_reach_objects_arrays_and_new_places)
{
    sy_check_ok(load(small_text, "train.augment.shift=3",
                     "network.layers.1.blocks.0.kernel=7"),
                err);
    ck_assert_int_eq(config.train.shift, 3);
    ck_assert_int_eq(config.network.layer[1].block[0].spec.kernel, 7);
    nas_config_release(&config);
    sy_check_ok(load(small_text, "domains=[\"x\",\"y\"]", "domains.1=z"), err);
    ck_assert_int_eq(config.domain_count, 2);
    ck_assert_str_eq(config.domain[0], "x");
    ck_assert_str_eq(config.domain[1], "z");
    nas_config_release(&config);
}
END_TEST

START_TEST(a_value_that_is_no_json_is_a_word)
{
    sy_check_ok(load(small_text, "name=plain-word", "train.batch=16"), err);
    ck_assert_str_eq(config.name, "plain-word");
    ck_assert_int_eq(config.train.batch, 16);
    nas_config_release(&config);
    sy_check_ok(load(small_text, "name=\"42\"", NULL), err);
    ck_assert_str_eq(config.name, "42");
    nas_config_release(&config);
}
END_TEST

START_TEST(the_last_override_wins)
{
    sy_check_ok(load(full_text, "train.epochs=3", "train.epochs=4"), err);
    ck_assert_double_eq(config.train.epochs, 4);
    nas_config_release(&config);
}
END_TEST

static const struct {
    const char *set, *says;
} wrong[] = {
    /* The form of an override. */
    {"train.epochs", "expected KEY=VALUE"},
    {"=5", "expected KEY=VALUE"},
    {"domains.3=d", "no such place"},
    {"domains.x=d", "no such place"},
    {"domains.-1=d", "no such place"},
    {"domains.+1=d", "no such place"},
    {"domains. 1=d", "no such place"},
    {"domains.99999999999999999999=d", "no such place"},
    {"network.layers.7.channels=8", "\"7\" is not an object or array"},
    {"name.first=x", "\"name\" is not an object or array"},
    /* Keys that do not exist, or that are twice. */
    {"nmae=x", "nmae: unknown key; did you mean \"name\"?"},
    {"train.epoch=5", "train.epoch: unknown key; did you mean \"epochs\"?"},
    {"train.optimiser.momentun=0", "did you mean \"momentum\"?"},
    {"train.augment.flips=[]", "did you mean \"flip\"?"},
    {"network.hed={}", "network.hed: unknown key"},
    {"network.layers.0.blocks.0.groups=2", "groups: unknown key"},
    {"train={\"epochs\":1,\"epochs\":2}", "train: expected an object"},
    {"domains=[\"a\",\"b\",\"a\"]", "domains: \"a\" is named twice"},
    /* Types and ranges. */
    {"name=5", "name: "},
    {"name=null", "name: "},
    {"name=\"\"", "name: expected letters"},
    {"name=a/b", "name: expected letters"},
    {"seed=-1", "seed: "},
    {"seed=1.5", "seed: "},
    {"domains=[]", "domains: "},
    {"domains=a", "domains: "},
    {"domains.0=5", "entry 0 is not a text"},
    {"domains.0=a/b", "\"a/b\" is no domain name"},
    {"domains.0=..", "\"..\" is no domain name"},
    {"domains.0=a.b", "\"a.b\" is no domain name"},
    {"paths=[]", "paths: "},
    {"paths=[3]", "entry 0 is not a text"},
    {"paths=[\"0:0\",\"0:2\"]", "paths[1]: layer 1: expected a block from 0"},
    {"paths=[\"0\"]", "paths[0]: expected 2 blocks"},
    {"network=5", "network: expected an object"},
    {"train=[]", "train: expected an object"},
    {"train.optimiser=adam", "train.optimiser: expected an object"},
    {"train.augment=3", "train.augment: expected an object"},
    {"train.optimiser.kind=adam", "train.optimiser.kind: "},
    {"train.optimiser.rate=-1", "train.optimiser.rate: "},
    {"train.optimiser.nesterov=1", "train.optimiser.nesterov: "},
    {"train.optimiser.epsilon=0", "train.optimiser.epsilon: "},
    {"train.epochs=0", "train.epochs: "},
    {"train.epochs=\"5\"", "train.epochs: "},
    {"train.batch=1", "train.batch: "},
    {"train.batch=2.5", "train.batch: "},
    {"train.warmup=1.01", "train.warmup: "},
    {"train.label_smoothing=1", "train.label_smoothing: "},
    {"train.ema=1", "train.ema: "},
    {"train.holdout=0.6", "train.holdout: "},
    {"train.use_holdout=yes", "train.use_holdout: "},
    {"train.calibration=0.6", "train.calibration: "},
    {"train.routes.kind=gaet", "train.routes.kind: "},
    {"train.routes.gate.fit=other", "train.routes.gate.fit: "},
    {"train.routes.gate.layers=-1", "train.routes.gate.layers: "},
    {"train.routes.gate.cells=17", "train.routes.gate.cells: "},
    {"train.routes.gate.hidden=-1", "train.routes.gate.hidden: "},
    {"train.routes.gate.top=0", "train.routes.gate.top: "},
    {"train.routes.gate.passes=0", "train.routes.gate.passes: "},
    {"train.routes.gate.rate=0", "train.routes.gate.rate: "},
    {"train.routes.gate.balance=-1", "train.routes.gate.balance: "},
    {"train.routes.gate.price=-1", "train.routes.gate.price: "},
    {"train.root.cells=0", "train.root.cells: "},
    {"train.root.hidden=1000", "train.root.hidden: "},
    {"train.root.images=1", "train.root.images: "},
    {"train.root.passes=0", "train.root.passes: "},
    {"train.root.rate=0", "train.root.rate: "},
    {"train.root.abstain=0.6", "train.root.abstain: "},
    {"train.root.colour=1", "train.root.colour: unknown key"},
    {"train.routes.exit=sure", "train.routes.exit: "},
    {"train.routes.epsilon=0", "train.routes.epsilon: "},
    {"train.routes.delta=0.6", "train.routes.delta: "},
    {"train.routes.cost=1.5", "train.routes.cost: "},
    {"train.routes.detection=0.4", "train.routes.detection: "},
    {"train.routes.background=1", "train.routes.background: "},
    {"train.routes.members=1", "train.routes.members: "},
    {"train.routes.experts=[]", "train.routes.experts: "},
    {"train.routes.experts=[3]", "train.routes.experts: [0]: expected"},
    {"train.routes={\"kind\":\"cascade\",\"exit\":\"reject\"}",
     "train.routes.background: expected the label"},
    {"train.norm_momentum=0", "train.norm_momentum: "},
    {"train.checkpoint_every_s=-1", "train.checkpoint_every_s: "},
    {"train.shards=65", "train.shards: "},
    {"train.weights=abdp", "train.weights: expected an object"},
    {"train.weights.kind=other", "train.weights.kind: "},
    {"train.weights.gamma=2.1", "train.weights.gamma: "},
    {"train.weights.rate=0", "train.weights.rate: "},
    {"train.weights.memory=1", "train.weights.memory: "},
    {"train.weights.temperature=0", "train.weights.temperature: "},
    {"train.weights.floor=1.1", "train.weights.floor: "},
    {"train.weights.flor=1", "did you mean \"floor\""},
    {"train.augment.shift=65", "train.augment.shift: "},
    {"train.augment.flip=a", "train.augment.flip: "},
    {"search={}", "search.target: is missing: the cost"},
    {"search.targets={\"a\":5}", "search.target: is missing: the cost that "
                                 "the paths of \"b\""},
    {"search.targets={\"z\":\"5\"}", "search.targets: \"z\": expected a num"},
    {"search.target=[5,4]", "search.target: expected a number"},
    {"search.target=[]", "search.target: expected a number"},
    {"search.target=[1,2,3,4,5]", "search.target: expected a number"},
    {"search={\"target\":5,\"shared_prefix\":-1}", "search.shared_prefix: "},
    {"search={\"target\":[5,6],\"common_path\":true}",
     "search.common_path: one path for"},
    {"train.distil=1.5", "train.distil: "},
    {"search={\"target\":5,\"ensemble\":{\"members\":5}}",
     "search.ensemble.members: "},
    {"search={\"target\":5,\"ensemble\":{\"paths\":1}}",
     "search.ensemble.paths: "},
    {"search={\"target\":5,\"ensemble\":{},\"common_path\":true}",
     "search.ensemble: has paths"},
    {"search={\"target\":5,\"op_warmup\":0.5}", "search.controller: delay"},
    {"search={\"target\":5,\"width_warmup\":0.5}", "search.controller: delay"},
    {"search={\"target\":5,\"op_warmup_from\":2}", "search.op_warmup_from: "},
    {"search={\"target\":0}", "search.target: "},
    {"search={\"target\":5,\"reward\":{\"cost\":\"flops\"}}",
     "search.reward.cost: "},
    {"search={\"target\":5,\"reward\":{\"cost\":\"latency\"}}",
     "search.reward.latency_table: is missing"},
    {"search={\"target\":5,\"reward\":{\"exponent\":0.1}}",
     "search.reward.exponent: "},
    {"search={\"target\":5,\"controller\":{\"travell\":1}}",
     "did you mean \"travel\"?"},
    {"search={\"target\":5,\"reward_paths\":0}", "search.reward_paths: "},
    {"search={\"target\":5,\"optimiser\":{\"kind\":\"lion\"}}",
     "search.optimiser.kind: "},
    {"search_passes=0", "search_passes: "},
    {"fractions={\"a\":1.5}", "fractions: \"a\": expected a number from"},
    {"fractions=[1]", "fractions: expected an object"},
    {"network.stem.kind=zero", "network.stem.kind: "},
    {"network.input.channels=1", "network: input.channels: expected 3"},
    {"network.layers=[]", "network.layers: "},
    {"network.layers.0.channels=0", "network.layers[0].channels: "},
    {"network.layers.1.blocks.0.kernel=4", "network"},
};

START_TEST(a_wrong_key_or_value_is_named_with_its_place)
{
    sy_check_fails(load(small_text, wrong[_i].set, NULL), SY_BAD_INPUT, err);
    sy_check_says(err, wrong[_i].says);
    ck_assert_ptr_null(config.effective);
}
END_TEST

static const struct {
    const char *text, *says;
} missing[] = {
    {"{\"name\":\"x\",\"domains\":[\"a\"],\"train\":{}}",
     "network: is missing"},
    {"{\"name\":\"x\",\"domains\":[\"a\"]," NETWORK "}", "train: is missing"},
    {"{\"name\":\"x\",\"domains\":[\"a\"]," NETWORK
     ",\"train_passes\":3,\"train\":{\"epochs\":3}}",
     "train_passes: is the same as train.epochs"},
    {"{\"domains\":[\"a\"]," NETWORK ",\"train\":{}}", "name: "},
    {"{\"name\":\"x\"," NETWORK ",\"train\":{}}", "domains: "},
    {"{}", "name: "},
    {"[]", "expected an object"},
    {"{\"name\":\"x\",\"name\":\"y\"}", "name"},
    {"{\"name\":\"x\"", "config.json:1"},
    {"no json", "config.json:1"},
    {"", "config.json"},
};

START_TEST(a_missing_section_or_a_broken_file_is_named)
{
    sy_check_fails(load(missing[_i].text, NULL, NULL), SY_BAD_INPUT, err);
    sy_check_says(err, missing[_i].says);
    sy_check_says(err, "config.json");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found)
{
    sy_check_fails(
        nas_config_load(&config, sy_check_path("none.json"), NULL, 0, &err),
        SY_NOT_FOUND, err);
    sy_check_says(err, "none.json");
}
END_TEST

START_TEST(the_hash_changes_with_content_only)
{
    char first[SY_HASH_TEXT_BYTES];
    sy_check_ok(load("{\"name\":\"x\",\"domains\":[\"a\"]," NETWORK
                     ",\"train\":{\"batch\":8,\"ema\":0}}",
                     NULL, NULL),
                err);
    memcpy(first, config.hash, sizeof first);
    nas_config_release(&config);
    sy_check_ok(load("{ \"train\" : {\"ema\":0,\n\"batch\":9 },\t" NETWORK
                     ", \"domains\":[ \"a\" ],\"name\":\"x\" }\n",
                     "train.batch=8", NULL),
                err);
    ck_assert_str_eq(config.hash, first);
    nas_config_release(&config);
    sy_check_ok(load("{\"name\":\"x\",\"domains\":[\"a\"]," NETWORK
                     ",\"train\":{\"batch\":8,\"ema\":0}}",
                     "train.batch=9", NULL),
                err);
    ck_assert_str_ne(config.hash, first);
    nas_config_release(&config);
}
END_TEST

START_TEST(without_memory_it_fails_or_has_the_same_hash)
{
    char whole[SY_HASH_TEXT_BYTES];
    bool done = false;
    sy_check_ok(load(full_text, NULL, NULL), err);
    memcpy(whole, config.hash, sizeof whole);
    nas_config_release(&config);
    const char *path = sy_check_path("config.json");
    int64_t live = sy_alloc_live();
    for (int n = 1; !done; n++) {
        int64_t calls = sy_alloc_calls();
        sy_alloc_fail_at(n, false);
        enum sy_status status = nas_config_load(&config, path, NULL, 0, &err);
        sy_alloc_fail_at(0, false);
        done = sy_alloc_calls() - calls < n;
        ck_assert(status == SY_NO_MEMORY || status == SY_OK);
        if (status == SY_OK) {
            ck_assert_str_eq(config.hash, whole);
            nas_config_release(&config);
        }
        ck_assert(sy_alloc_live() == live);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("config");
    TCase *tc = tcase_create("config");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, every_key_is_read);
    tcase_add_test(tc, every_key_of_a_comparison_is_read);
    tcase_add_test(tc, what_a_comparison_leaves_out_has_its_default);
    tcase_add_loop_test(tc, a_wrong_comparison_is_named_with_its_place, 0, 11);
    tcase_add_test(tc, every_key_of_a_search_is_read);
    tcase_add_test(tc, what_a_search_may_leave_fits_into_one_network);
    tcase_add_test(tc, a_search_takes_from_training_what_it_leaves_out);
    tcase_add_test(tc, what_is_left_out_has_its_default);
    tcase_add_test(tc, an_optimiser_has_the_defaults_of_its_kind);
    tcase_add_test(tc, flips_of_unknown_domains_are_ignored);
    tcase_add_test(tc, overrides_reach_objects_arrays_and_new_places);
    tcase_add_test(tc, a_value_that_is_no_json_is_a_word);
    tcase_add_test(tc, the_last_override_wins);
    tcase_add_loop_test(tc, a_wrong_key_or_value_is_named_with_its_place, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_loop_test(tc, a_missing_section_or_a_broken_file_is_named, 0,
                        (int)(sizeof missing / sizeof missing[0]));
    tcase_add_test(tc, a_file_that_is_not_there_is_not_found);
    tcase_add_test(tc, the_hash_changes_with_content_only);
    tcase_add_test(tc, without_memory_it_fails_or_has_the_same_hash);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
