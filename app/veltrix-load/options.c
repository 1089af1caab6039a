/* veltrix-load: the command line. One row an option: name, what kind of value, where it goes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum option_kind { OPTION_U32,
                   OPTION_U16,
                   OPTION_U64,
                   OPTION_REAL,
                   OPTION_FLAG,
                   OPTION_TEXT,
                   OPTION_IP,
                   OPTION_MAC,
                   OPTION_MODE,
                   OPTION_TRANSPORT,
                   OPTION_DEVICE };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    double min, max; /* of numbers; min is the enum load_device of devices */
    const char *help;
};

#define FIELD(name) offsetof(struct load_options, name)
static const struct option_row rows[] = {
    { "--players", OPTION_U32, FIELD(players), 1, VX_PLAYERS_MAX, "N  players, ids 0 to N-1 (1000)" },
    { "--rate", OPTION_REAL, FIELD(rate), 1, 1e8, "R  games: actions a second (10000)" },
    { "--seconds", OPTION_REAL, FIELD(seconds), 0.1, 1e7, "S  length of the run (10)" },
    { "--mode", OPTION_MODE, FIELD(bounce), 0, 0, "games|bounce  whole games at a rate, or packets as fast as they return (games)" },
    { "--server-ip", OPTION_IP, FIELD(server_ip), 0, 0, "A  (10.0.0.1)" },
    { "--client-ip", OPTION_IP, FIELD(client_ip), 0, 0, "A  (10.0.0.2)" },
    { "--server-mac", OPTION_MAC, FIELD(server_mac), 0, 0, "M  (02:00:00:00:00:01)" },
    { "--client-mac", OPTION_MAC, FIELD(client_mac), 0, 0, "M  (02:00:00:00:00:02)" },
    { "--udp-port", OPTION_U16, FIELD(udp_port), 1, 65535, "P  the game's port (40000)" },
    { "--cpu", OPTION_U32, FIELD(cpu), 0, 1023, "C  the core to run on (0)" },
    { "--memif", OPTION_DEVICE, 0, LOAD_DEVICE_MEMIF, 0, "SOCKET  a memif server's socket" },
    { "--af-xdp", OPTION_DEVICE, 0, LOAD_DEVICE_AF_XDP, 0, "IFACE  a Linux interface" },
    { "--vdev", OPTION_DEVICE, 0, LOAD_DEVICE_VDEV, 0, "DEVARGS  any DPDK virtual device" },
    { "--pci", OPTION_DEVICE, 0, LOAD_DEVICE_PCI, 0, "ADDR  a NIC" },
    { "--no-huge", OPTION_FLAG, FIELD(no_huge), 0, 0, "  without huge pages" },
    { "--window", OPTION_U32, FIELD(window), 1, 1 << 20, "N  bounce: packets outstanding (256)" },
    { "--actions", OPTION_U32, FIELD(actions), 1, 16, "N  bounce: actions in each packet, a MOVE and PINGs (2)" },
    { "--pace", OPTION_REAL, FIELD(pace), 0, 1e9, "R  bounce: packets a second at most, 0 for no limit (0)" },
    { "--json", OPTION_TEXT, FIELD(json_path), 0, 0, "FILE  the report as one flat object" },
    { "--receipts", OPTION_TEXT, FIELD(receipts_path), 0, 0, "FILE  every receipt seen, one a line" },
    { "--seed", OPTION_U64, FIELD(seed), 0, 0, "S  of the random choices (1)" },
    { "--transport", OPTION_TRANSPORT, FIELD(is_netcode), 0, 0, "plain|netcode  netcode: a session a player, at addresses from --client-ip on (plain)" },
    { "--key", OPTION_TEXT, FIELD(key_path), 0, 0, "FILE  netcode: the private key that tokens are sealed with" },
    { "--protocol", OPTION_U64, FIELD(protocol_id), 0, 0, "ID  netcode: the game's 64 bits (0)" },
    { "--client", OPTION_U64, FIELD(client_first), 0, 0, "ID  netcode: the first player's client id (1)" },
    { "--expire", OPTION_U32, FIELD(token_s), 1, 86400, "S  netcode: lifetime of tokens (45)" },
    { "--timeout", OPTION_U32, FIELD(timeout_s), 1, 3600, "S  netcode: silence that ends a session (10)" },
    { "--arrive", OPTION_REAL, FIELD(arrive), 0, 1e8, "R  netcode: sessions that begin a second, 0 for all at once (20000)" },
    { "--storm", OPTION_U32, FIELD(storm), 0, VX_PLAYERS_MAX, "N  netcode: the last N players arrive at once after a third of the run (0)" },
    { "--flood", OPTION_REAL, FIELD(flood), 0, 1000, "R  netcode: every other second R packets of a flood for each of the players' (0)" },
    { "--quiet", OPTION_FLAG, FIELD(quiet), 0, 0, "  no progress lines" },
};

static int parse_number(const struct option_row *row, const char *text, void *field, struct vx_error *error)
{
    char *end;
    double value = strtod(text, &end);
    bool is_whole = row->kind == OPTION_REAL || value == (double)(uint64_t)value;
    if (end == text || *end != '\0' || !(value >= row->min && value <= row->max) || !is_whole)
        return vx_error_set(error, -EINVAL, "%s %s: expected a number from %g to %g", row->name, text, row->min, row->max);
    if (row->kind == OPTION_REAL)
        *(double *)field = value;
    else if (row->kind == OPTION_U16)
        *(uint16_t *)field = (uint16_t)value;
    else
        *(uint32_t *)field = (uint32_t)value;
    return 0;
}

static int parse_seed(const struct option_row *row, const char *text, uint64_t *seed, struct vx_error *error)
{
    char *end;
    *seed = strtoull(text, &end, 0);
    return end != text && *end == '\0' ? 0 : vx_error_set(error, -EINVAL, "%s %s: expected an integer", row->name, text);
}

static int parse_device(const struct option_row *row, const char *text, struct load_options *options, struct vx_error *error)
{
    if (options->device != LOAD_DEVICE_NONE)
        return vx_error_set(error, -EINVAL, "%s %s: a device was given before, expected one", row->name, text);
    options->device = (enum load_device)row->min;
    options->device_argument = text;
    return 0;
}

static int parse_value(const struct option_row *row, const char *text, struct load_options *options, struct vx_error *error)
{
    void *field = (char *)options + row->offset;
    switch (row->kind) {
    case OPTION_U64:
        return parse_seed(row, text, field, error);
    case OPTION_TEXT:
        *(const char **)field = text;
        return 0;
    case OPTION_IP:
        return inet_pton(AF_INET, text, field) == 1 ? 0 : vx_error_set(error, -EINVAL, "%s %s: expected an IPv4 address", row->name, text);
    case OPTION_MAC:
        return rte_ether_unformat_addr(text, field) == 0 ? 0 : vx_error_set(error, -EINVAL, "%s %s: expected a MAC address", row->name, text);
    case OPTION_MODE:
        *(bool *)field = strcmp(text, "bounce") == 0;
        return *(bool *)field || strcmp(text, "games") == 0 ? 0 : vx_error_set(error, -EINVAL, "%s %s: expected games or bounce", row->name, text);
    case OPTION_TRANSPORT:
        *(bool *)field = strcmp(text, "netcode") == 0;
        return *(bool *)field || strcmp(text, "plain") == 0 ? 0 : vx_error_set(error, -EINVAL, "%s %s: expected plain or netcode", row->name, text);
    case OPTION_DEVICE:
        return parse_device(row, text, options, error);
    default:
        return parse_number(row, text, field, error);
    }
}

static const struct option_row *row_find(const char *name)
{
    for (size_t i = 0; i < RTE_DIM(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static void options_default(struct load_options *options)
{
    *options = (struct load_options){ .players = 1000, .rate = 10000, .seconds = 10, .udp_port = 40000, .window = 256, .actions = 2, .seed = 1, .client_first = 1,
                                      .token_s = 45, .timeout_s = 10, .arrive = 20000 };
    options->server_ip = htonl(0x0a000001);
    options->client_ip = htonl(0x0a000002);
    options->server_mac.addr_bytes[0] = options->client_mac.addr_bytes[0] = 0x02;
    options->server_mac.addr_bytes[5] = 1;
    options->client_mac.addr_bytes[5] = 2;
}

static int netcode_check(const struct load_options *options, struct vx_error *error)
{
    if (!options->is_netcode)
        return options->storm == 0 && options->flood == 0 ? 0 : vx_error_set(error, -EINVAL, "--storm and --flood: expected --transport netcode");
    if (options->key_path == NULL)
        return vx_error_set(error, -EINVAL, "--transport netcode: expected --key, a file that veltrixctl token keygen has made");
    if (options->bounce)
        return vx_error_set(error, -EINVAL, "--mode bounce: expected --transport plain");
    if (options->storm >= options->players)
        return vx_error_set(error, -EINVAL, "--storm %u: expected fewer than --players, %u", options->storm, options->players);
    if (options->storm > 0 && options->flood > 0)
        return vx_error_set(error, -EINVAL, "--storm and --flood: expected one of them, for each needs its own quiet to be compared with");
    return 0;
}

int load_options_parse(int argc, char **argv, struct load_options *options, struct vx_error *error)
{
    options_default(options);
    for (int i = 1; i < argc; i++) {
        const struct option_row *row = row_find(argv[i]);
        if (strcmp(argv[i], "--help") == 0)
            return 1;
        if (row == NULL)
            return vx_error_set(error, -EINVAL, "%s: no such option, --help lists them", argv[i]);
        if (row->kind == OPTION_FLAG) {
            *(bool *)((char *)options + row->offset) = true;
            continue;
        }
        if (i + 1 == argc)
            return vx_error_set(error, -EINVAL, "%s: expected a value", argv[i]);
        int rc = parse_value(row, argv[++i], options, error);
        if (rc < 0)
            return rc;
    }
    if (options->device == LOAD_DEVICE_NONE)
        return vx_error_set(error, -EINVAL, "no device: expected --memif, --af-xdp, --vdev or --pci");
    return netcode_check(options, error);
}

void load_options_usage(FILE *file)
{
    fprintf(file, "veltrix-load: plays games against veltrixd over a DPDK port\n");
    for (size_t i = 0; i < RTE_DIM(rows); i++)
        fprintf(file, "  %s %s\n", rows[i].name, rows[i].help);
}
