/*
 * job.c - configuration and signals of long jobs.
 */
#include "cli/job.h"

#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

const volatile sig_atomic_t *cli_job_stop(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ask_stop;
    action.sa_flags = (int)SA_RESETHAND;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return &stop_asked;
}

enum sy_status cli_job_domain(const struct cli_args *args, bool both,
                              const char **domain, struct sy_error *err)
{
    const char *start = cli_text(args, "start", NULL);
    *domain = cli_text(args, "domain", NULL);
    if ((*domain != NULL && start == NULL) ||
        (both && *domain == NULL && start != NULL)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "--domain D works on this domain over the blocks of "
                       "--start MODEL: give both");
    }
    return SY_OK;
}

enum sy_status cli_job_config(const struct cli_args *args, const char *domain,
                              struct nas_config *config, struct sy_error *err)
{
    int set_count = 0;
    const char *const *set = cli_list(args, "set", &set_count);
    char seed[64];
    char domains[256];
    const char *all[CLI_MAX_LIST + 2];
    memcpy(all, set, (size_t)set_count * sizeof *set);
    if (cli_int(args, "seed", -1) >= 0) {
        (void)snprintf(seed, sizeof seed, "seed=%lld",
                       (long long)cli_int(args, "seed", 1));
        all[set_count++] = seed;
    }
    if (domain != NULL) {
        (void)snprintf(domains, sizeof domains, "domains=[\"%.200s\"]", domain);
        all[set_count++] = domains;
    }
    return nas_config_load(config, cli_arg(args, 0), all, set_count, err);
}
