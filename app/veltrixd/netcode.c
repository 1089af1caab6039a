/* The netcode transport's start: keys, addresses, admission and the rings to it; and what it shows of itself. Start-up and
 * control thread. */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "vx_secret.h"

enum { ASK_RING = 1024, TOKENS_MIN = 1024, PENDING_MIN = 256 };

static bool is_netcode(const struct vx_config *config)
{
    return config->transport.kind == VX_TRANSPORT_NETCODE;
}

/* ---- settings that the schema cannot judge alone ---- */

static int protocol_id_read(const struct vx_config *config, uint64_t *id, struct vx_error *error)
{
    char *end;
    errno = 0;
    *id = strtoull(config->transport.protocol_id, &end, 0);
    if (config->transport.protocol_id[0] >= '0' && config->transport.protocol_id[0] <= '9' && *end == '\0' && errno == 0)
        return 0;
    return vx_error_set(error, -EINVAL, "transport.protocol_id is \"%s\", expected 64 bits in quotes, decimal or 0x…, the same that the backend issues tokens with",
                        config->transport.protocol_id);
}

static int keys_read(const struct vx_config *config, struct vx_netcode_keys *keys, struct vx_error *error)
{
    char list[sizeof(config->transport.private_keys)], *rest = NULL;
    (void)snprintf(list, sizeof(list), "%s", config->transport.private_keys);
    keys->count = 0;
    for (char *path = strtok_r(list, " ", &rest); path != NULL; path = strtok_r(NULL, " ", &rest)) {
        VX_ASSERT(keys->count < VX_NETCODE_KEYS_MAX); /* the schema's limit */
        int rc = vx_secret_key_read(path, keys->keys[keys->count++], error);
        if (rc != 0)
            return rc;
    }
    if (keys->count > 0)
        return 0;
    return vx_error_set(error, -EINVAL, "transport.private_keys is empty, expected one or two key files (veltrixctl token keygen makes them)");
}

/* As tokens name the server: what the configuration says, or the ports' own addresses. */
static int addresses_read(const struct vx_config *config, struct vx_session_netcode_config *netcode, struct vx_error *error)
{
    char list[sizeof(config->transport.addresses)], *rest = NULL;
    const uint32_t max = sizeof(netcode->addresses) / sizeof(netcode->addresses[0]);
    (void)snprintf(list, sizeof(list), "%s", config->transport.addresses);
    netcode->address_count = 0;
    for (char *one = strtok_r(list, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
        struct vx_error why;
        if (vx_netcode_address_read(one, &netcode->addresses[netcode->address_count++], &why) != 0)
            return vx_error_set(error, -EINVAL, "transport.addresses: %s", why.text);
    }
    for (uint32_t i = 0; list[0] == '\0' && i < config->port_count; i++) {
        const struct vx_config_port *port = &config->ports[i];
        for (uint32_t j = 0; j < port->address4_count && netcode->address_count < max; j++) {
            struct vx_netcode_address *address = &netcode->addresses[netcode->address_count++];
            *address = (struct vx_netcode_address){ .type = VX_NETCODE_ADDRESS_4, .port = config->transport.udp_port };
            memcpy(address->bytes, &port->address4[j], 4);
        }
        for (uint32_t j = 0; j < port->address6_count && netcode->address_count < max; j++) {
            struct vx_netcode_address *address = &netcode->addresses[netcode->address_count++];
            *address = (struct vx_netcode_address){ .type = VX_NETCODE_ADDRESS_6, .port = config->transport.udp_port };
            memcpy(address->bytes, port->address6[j], 16);
        }
    }
    if (netcode->address_count > 0)
        return 0;
    return vx_error_set(error, -EINVAL, "transport.addresses is empty and no port has addresses, expected \"a.b.c.d:port\" or \"[v6]:port\" as tokens name this server");
}

int app_netcode_check(const struct vx_config *config, struct vx_error *error)
{
    struct vx_session_netcode_config netcode;
    if (!is_netcode(config))
        return 0;
    if (config->transport.players < config->shards.count)
        return vx_error_set(error, -EINVAL, "transport.players is %u, expected at least shards.count, %u", config->transport.players, config->shards.count);
    int rc = protocol_id_read(config, &netcode.protocol_id, error);
    if (rc == 0)
        rc = keys_read(config, &netcode.keys, error);
    if (rc == 0)
        rc = addresses_read(config, &netcode, error);
    vx_netcode_wipe(&netcode.keys, sizeof(netcode.keys));
    return rc;
}

/* ---- start ---- */

/* Clients spread over the io lcores' queues nearly evenly; and who answers a challenge has a place already. */
uint32_t app_netcode_places(const struct vx_config *config, uint32_t io_count)
{
    uint32_t players = config->transport.players, pending = players / 8 / io_count + PENDING_MIN;
    return io_count == 1 ? players + pending : players / io_count + players / io_count / 4 + pending;
}

static struct vx_admission_config admission_config(const struct vx_config *config)
{
    uint32_t tokens = config->transport.tokens != 0 ? config->transport.tokens : 2 * config->transport.players + TOKENS_MIN;
    return (struct vx_admission_config){ .players = config->transport.players, .shards = config->shards.count, .grace_ms = config->transport.grace_ms,
                                         .tokens = tokens < VX_ADMISSION_TOKENS_MAX ? tokens : VX_ADMISSION_TOKENS_MAX };
}

uint64_t app_netcode_bytes(const struct vx_config *config, uint32_t io_count)
{
    const struct vx_admission_config admission = admission_config(config);
    return io_count * (uint64_t)vx_session_netcode_bytes(app_netcode_places(config, io_count)) + vx_admission_bytes(&admission) +
           io_count * (uint64_t)ASK_RING * 2 * (sizeof(struct vx_admission_ask) + sizeof(struct vx_admission_verdict));
}

void app_clock_tick(struct app *app)
{
    __atomic_store_n(&app->unix_s, (uint64_t)time(NULL), __ATOMIC_RELAXED);
}

uint32_t app_now_ms(const struct app *app)
{
    return (uint32_t)((__uint128_t)rte_rdtsc() * 1000 / app->cycles_per_s);
}

int app_netcode_start(struct app *app, struct vx_error *error)
{
    struct app_netcode *own = &app->netcode;
    struct vx_admission_config admission = admission_config(&app->config);
    if (!is_netcode(&app->config))
        return 0;
    app_clock_tick(app);
    vx_secret_draw(&admission.seed, sizeof(admission.seed));
    void *memory = rte_zmalloc("admission", vx_admission_bytes(&admission), VX_CACHE_LINE_BYTES);
    if (memory == NULL)
        return vx_error_set(error, -ENOMEM, "no memory for %u players and %u connect tokens (%zu KiB)", admission.players, admission.tokens,
                            vx_admission_bytes(&admission) >> 10);
    own->admission = vx_admission_create(memory, &admission, app_now_ms(app));
    for (uint32_t io = 0; io < app->io_count; io++) {
        own->asks[io] = app_ring_create("asks", io, 0, sizeof(struct vx_admission_ask), ASK_RING, app_numa_of(app, VX_ROLE_IO, 0), error);
        own->verdicts[io] = app_ring_create("verdicts", io, 0, sizeof(struct vx_admission_verdict), ASK_RING, app_numa_of(app, VX_ROLE_IO, io), error);
        if (own->asks[io] == NULL || own->verdicts[io] == NULL)
            return -ENOMEM;
    }
    own->expire_s_min = app->unix_s + app->config.transport.token_s;
    vx_log(VX_LOG_NOTICE, "netcode", NULL, "protocol id %s; tokens whose lifetime of at most %u s may have begun before this start are refused", app->config.transport.protocol_id,
           app->config.transport.token_s);
    return 0;
}

int app_netcode_io(struct app *app, uint32_t index, struct vx_io_config *io, struct vx_session_netcode_config *netcode, struct vx_error *error)
{
    struct app_netcode *own = &app->netcode;
    const struct vx_config *config = &app->config;
    if (!is_netcode(config))
        return 0;
    *netcode = (struct vx_session_netcode_config){
        .places = app_netcode_places(config, app->io_count), .players = config->transport.players, .lcore = index, .expire_s_min = own->expire_s_min,
        .keepalive_ms = config->transport.keepalive_ms, .handshakes_per_s = config->transport.handshakes_per_s,
        .handshakes_per_network_per_s = config->transport.handshakes_per_prefix_per_s, .now_ms = app_now_ms(app),
    };
    int rc = protocol_id_read(config, &netcode->protocol_id, error);
    if (rc == 0)
        rc = keys_read(config, &netcode->keys, error);
    if (rc == 0)
        rc = addresses_read(config, netcode, error);
    vx_secret_draw(&netcode->seed, sizeof(netcode->seed));
    vx_secret_draw(netcode->challenge_key, sizeof(netcode->challenge_key));
    io->netcode = netcode;
    io->unix_s = &app->unix_s;
    io->asks = own->asks[index];
    io->verdicts = own->verdicts[index];
    if (index == 0) { /* the first io lcore decides for all */
        io->admission = own->admission;
        io->admission_asks = own->asks;
        io->admission_verdicts = own->verdicts;
        io->admission_lcores = app->io_count;
    }
    return rc;
}

void app_netcode_goodbye(struct app *app)
{
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL)
            vx_io_goodbye(app->lcores[i].io);
}

bool app_netcode_goodbye_done(const struct app *app)
{
    for (uint32_t i = 0; i < app->lcore_count; i++)
        if (app->lcores[i].io != NULL && !vx_io_goodbye_done(app->lcores[i].io))
            return false;
    return true;
}

/* ---- what it shows ---- */

void app_netcode_watch(struct app *app)
{
    struct app_netcode *own = &app->netcode;
    uint64_t now = rte_rdtsc();
    app_clock_tick(app);
    if (own->admission == NULL || now - own->watched_cycles < app->cycles_per_s)
        return;
    uint64_t connected = vx_counter_read(&vx_admission_counters(own->admission)->connected);
    own->handshakes_per_s = (double)(connected - own->watched_connected) * (double)app->cycles_per_s / (double)(now - own->watched_cycles);
    own->watched_cycles = now;
    own->watched_connected = connected;
}

json_t *app_sessions_json(const struct vx_io *io)
{
    const struct vx_session_counters *c = vx_io_sessions(io);
    if (c == NULL)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "connected", (json_int_t)vx_counter_read(&c->connected), "pending", (json_int_t)vx_counter_read(&c->pending),
                     "tokens_opened", (json_int_t)vx_counter_read(&c->tokens_opened), "challenges_sent", (json_int_t)vx_counter_read(&c->challenges_sent), "denials_sent",
                     (json_int_t)vx_counter_read(&c->denials_sent), "keep_alives_sent", (json_int_t)vx_counter_read(&c->keep_alives_sent), "users_unsaid",
                     (json_int_t)vx_counter_read(&c->users_unsaid), "unproved_bytes_in", (json_int_t)vx_counter_read(&c->unproved_bytes_in), "unproved_bytes_out",
                     (json_int_t)vx_counter_read(&c->unproved_bytes_out));
}

json_t *app_netcode_json(const struct app *app)
{
    if (app->netcode.admission == NULL)
        return json_null();
    const struct vx_admission_counters *c = vx_admission_counters(app->netcode.admission);
    json_t *object = json_object();
#define PUT(name, sentence) (void)json_object_set_new(object, #name, json_integer((json_int_t)vx_counter_read(&c->name)));
    VX_ADMISSION_COUNTERS(PUT)
    PUT(clients, "")
    PUT(clients_in_grace, "")
    PUT(tokens, "")
#undef PUT
    (void)json_object_set_new(object, "handshakes_per_s", json_real(app->netcode.handshakes_per_s));
    return object;
}
