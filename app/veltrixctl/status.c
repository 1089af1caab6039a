/* `status` as a page. A key that an older or newer veltrixd leaves out counts as 0. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static json_int_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_server(const json_t *status)
{
    const json_t *totals = json_object_get(status, "totals");
    (void)printf("server    epoch %" JSON_INTEGER_FORMAT ", resident %.1f MiB, accounts %s\n", number(status, "epoch"),
                 (double)number(status, "resident_bytes") / (1 << 20), json_is_true(json_object_get(status, "accounts_balance")) ? "balance" : "DO NOT BALANCE");
    (void)printf("players   %" JSON_INTEGER_FORMAT " online of %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " searching, %" JSON_INTEGER_FORMAT " proposed, %" JSON_INTEGER_FORMAT
                 " hunting, %" JSON_INTEGER_FORMAT " settling; %" JSON_INTEGER_FORMAT " hunts\n\n",
                 number(totals, "players_online"), number(status, "players"), number(totals, "players_searching"), number(totals, "players_proposed"),
                 number(totals, "players_hunting"), number(totals, "players_settling"), number(totals, "hunts_live"));
}

static void print_lcore(const json_t *lcore)
{
    char roles[32] = "", gap[32];
    size_t i, used = 0;
    json_t *role;
    json_array_foreach(json_object_get(lcore, "roles"), i, role) {
        const char *name = json_string_value(role);
        if (name != NULL && strcmp(name, "-") != 0 && used < sizeof(roles))
            used += (size_t)snprintf(roles + used, sizeof(roles) - used, "%s%s", used > 0 ? "+" : "", name);
    }
    json_int_t passes = number(lcore, "passes");
    const json_t *io = json_object_get(lcore, "io");
    (void)snprintf(gap, sizeof(gap), "%.0f", json_number_value(json_object_get(json_object_get(lcore, "gaps"), "us_p999")));
    (void)printf("%5" JSON_INTEGER_FORMAT "  %3" JSON_INTEGER_FORMAT "  %-10s  %6.2f%%  %14" JSON_INTEGER_FORMAT "  %11s", number(lcore, "lcore"), number(lcore, "cpu"), roles,
                 passes > 0 ? 100.0 * (double)number(lcore, "passes_busy") / (double)passes : 0.0, passes, gap);
    if (io != NULL)
        (void)printf("  %14" JSON_INTEGER_FORMAT "  %14" JSON_INTEGER_FORMAT "\n", number(io, "packets_in"), number(io, "packets_out"));
    else
        (void)printf("  %14s  %14s\n", "-", "-");
}

static void print_drop(const json_t *lcore, bool *any, const char *name, json_int_t count)
{
    if (count == 0)
        return;
    if (!*any)
        (void)printf("drops     lcore %" JSON_INTEGER_FORMAT ":", number(lcore, "lcore"));
    (void)printf("%s %s %" JSON_INTEGER_FORMAT, *any ? "," : "", name, count);
    *any = true;
}

static void print_drops(const json_t *lcore)
{
    static const char *const losses[] = { "replies_dropped", "tx_full", "busy_answers" };
    json_t *io = json_object_get(lcore, "io"), *value;
    const char *name;
    size_t i;
    json_int_t shed = 0;
    bool any = false;
    json_object_foreach(json_object_get(io, "packets"), name, value)
        if (strcmp(name, "none") != 0) /* accepted */
            print_drop(lcore, &any, name, json_integer_value(value));
    json_array_foreach(json_object_get(io, "actions_shed"), i, value)
        shed += json_integer_value(value);
    print_drop(lcore, &any, "actions_shed", shed);
    for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
        print_drop(lcore, &any, losses[i], number(io, losses[i]));
    if (any)
        (void)printf("\n");
}

static void print_shards(const json_t *status)
{
    const json_t *totals = json_object_get(status, "totals"), *busiest = NULL;
    json_int_t online_min = 0, online_max = 0;
    size_t i;
    json_t *shard;
    json_array_foreach(json_object_get(status, "shard_list"), i, shard) {
        json_int_t online = number(shard, "online");
        online_min = i == 0 || online < online_min ? online : online_min;
        online_max = online > online_max ? online : online_max;
        if (busiest == NULL || number(shard, "actions_in") > number(busiest, "actions_in"))
            busiest = shard;
    }
    (void)printf("shards    %" JSON_INTEGER_FORMAT ": %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " online each, busiest %" JSON_INTEGER_FORMAT "; matches %" JSON_INTEGER_FORMAT
                 " started, %" JSON_INTEGER_FORMAT " settled\n",
                 number(status, "shards"), online_min, online_max, number(busiest, "shard"), number(totals, "matches_started"), number(totals, "matches_settled"));
    (void)printf("actions   %" JSON_INTEGER_FORMAT " in: %" JSON_INTEGER_FORMAT " answered, %" JSON_INTEGER_FORMAT " refused, %" JSON_INTEGER_FORMAT " repeated, %" JSON_INTEGER_FORMAT
                 " busy, %" JSON_INTEGER_FORMAT " gone, %" JSON_INTEGER_FORMAT " pending\n",
                 number(totals, "actions_in"), number(totals, "actions_answered"), number(totals, "actions_refused"), number(totals, "actions_repeated"),
                 number(totals, "actions_busy"), number(totals, "actions_dropped_gone"), number(totals, "actions_pending"));
}

static void print_formulas(const json_t *formulas)
{
    const char *name;
    json_t *kind;
    (void)printf("formulas  worker pid %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " starts, %" JSON_INTEGER_FORMAT " deaths", number(formulas, "worker_pid"),
                 number(formulas, "worker_starts"), number(formulas, "worker_deaths"));
    json_object_foreach((json_t *)formulas, name, kind)
        if (json_is_object(kind))
            (void)printf("; %s %" JSON_INTEGER_FORMAT " jobs, %.0f ns each", name, number(kind, "jobs"), json_number_value(json_object_get(kind, "ns_per_job")));
    (void)printf("\n");
}

void ctl_print_status(const json_t *status)
{
    const json_t *lcores = json_object_get(status, "lcores"), *ledger = json_object_get(status, "ledger");
    size_t i;
    json_t *lcore;
    print_server(status);
    (void)printf("lcore  cpu  roles          busy          passes  gap us p999      packets in     packets out\n");
    json_array_foreach(lcores, i, lcore)
        print_lcore(lcore);
    (void)printf("\n");
    json_array_foreach(lcores, i, lcore)
        print_drops(lcore);
    print_shards(status);
    print_formulas(json_object_get(status, "formulas"));
    (void)printf("ledger    %" JSON_INTEGER_FORMAT " grants committed, %" JSON_INTEGER_FORMAT " repeated, %" JSON_INTEGER_FORMAT " commits, %" JSON_INTEGER_FORMAT
                 " failures, longest %" JSON_INTEGER_FORMAT " us\n",
                 number(ledger, "grants_committed"), number(ledger, "grants_repeated"), number(ledger, "commits"), number(ledger, "failures"), number(ledger, "commit_us_max"));
}
