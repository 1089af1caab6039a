/* The schema: one row a key. Reader, range checks, defaults and the reference page come from here and
 * from nowhere else. A default of VX_REQUIRED means that the file must say it. */
#include <string.h>

#include "config_private.h"

#define VX_REQUIRED UINT64_MAX
#define SIZED(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define IN_LCORE(field) SIZED(struct vx_config_lcore, field)
#define IN_PORT(field) SIZED(struct vx_config_port, field)
#define IN_MODE(field) SIZED(struct vx_config_mode, field)
#define IN_CONFIG(field) SIZED(struct vx_config, field)

enum {
    SOCKET_PATH_BYTES = 107, /* sun_path less its NUL, unix(7) */
    DAY_MS = 24 * 3600 * 1000,
    LOG_INFO_INDEX = 3, /* enum vx_log_level */
};
#define LUA_WHOLE_MAX (1ull << 53) /* a Lua number is a double: whole numbers are exact up to here */

#define NUMBER(section, key, field, min, max, otherwise, unit, sentence)                           \
    { section, key, SETTING_NUMBER, field, min, max, otherwise, "", "", unit, sentence, "" }
/* The same, and it may be changed while the system runs. */
#define LIVE(section, key, field, min, max, otherwise, unit, sentence, effect)                     \
    { section, key, SETTING_NUMBER, field, min, max, otherwise, "", "", unit, sentence, effect }
#define POWER(section, key, field, min, max, otherwise, unit, sentence)                            \
    { section, key, SETTING_POWER, field, min, max, otherwise, "", "", unit, sentence, "" }
#define STRING(section, key, field, min, max, otherwise, sentence)                                 \
    { section, key, SETTING_STRING, field, min, max, 0, otherwise, "", "", sentence, "" }

const struct setting config_settings[] = {
    NUMBER("lcores", "cpu", IN_LCORE(cpu), 0, VX_CPUS_MAX - 1, VX_REQUIRED, "", "CPU that this lcore has to itself"),
    { "lcores", "roles", SETTING_ROLES, IN_LCORE(roles), 1, 3, VX_REQUIRED, "", "io shard control", "", "what it does", "" },
    NUMBER("lcores", "port", IN_LCORE(port), 1, VX_PORTS_MAX, 0, "", "io only: which of `ports`, counted from 1"),
    NUMBER("lcores", "queue", IN_LCORE(queue), 0, 254, 0, "", "io only: queue of that port, counted from 0"),

    { "ports", "kind", SETTING_WORD, IN_PORT(kind), 1, 15, VX_REQUIRED, NULL, "memif af_xdp tap pcap ring af_packet pci", "", "driver", "" },
    STRING("ports", "target", IN_PORT(target), 0, VX_PATH_BYTES - 1, "", "memif: socket; af_xdp, tap, af_packet: interface; pci: address; pcap: file"),
    { "ports", "owned", SETTING_BOOLEAN, IN_PORT(owned), 0, 1, 1, "", "", "", "answers ARP, ICMP echo and neighbour solicitation", "" },
    { "ports", "addresses", SETTING_ADDRESSES, 0, 0, 0, 8, 0, "", "", "", "our IPv4 and IPv6 addresses, up to 4 of each", "" },
    NUMBER("ports", "queues", IN_PORT(queues), 1, 255, 1, "queues", "receive and transmit queues, one io lcore each"),
    POWER("ports", "descriptors", IN_PORT(descriptors), 64, 16384, 1024, "packets", "length of each queue"),

    NUMBER("ports", "busy_poll", IN_PORT(busy_poll), 0, 64, 0, "packets", "af_xdp: asked of the kernel by the io lcore itself when there are none; 0: softirqs bring them"),
    { "ports", "spread", SETTING_CHOICE, IN_PORT(spread), 0, 2, 0, "", "auto on off", "", "io lcores spread flows among themselves; auto: where the card cannot hash UDP", "" },

    { "modes", "name", SETTING_STRING, IN_MODE(name), 1, VX_MATCH_NAME_BYTES - 1, VX_REQUIRED, NULL, "", "", "what operators call it; players know its place in the list, from 0", "" },
#define MODE_ROW(name, least, most, otherwise, unit, sentence) NUMBER("modes", #name, IN_MODE(mode.name), least, most, otherwise, unit, sentence),
    VX_MODE_NUMBERS(MODE_ROW)
#undef MODE_ROW
    { "modes", "rating", SETTING_CHOICE, IN_MODE(mode.rating), 0, VX_MODE_UNRATED, VX_MODE_GLICKO2, "", VX_MODE_RATINGS, "", "how a hunt changes ratings", "" },
    { "modes", "party_rating", SETTING_CHOICE, IN_MODE(mode.party_rating), 0, VX_MATCH_BETWEEN, VX_MATCH_MEAN, "", VX_MODE_PARTY_RATINGS, "", "a party's rating of its members'", "" },
    { "modes", "auto_accept", SETTING_BOOLEAN, IN_MODE(mode.auto_accept), 0, 1, 0, "", "", "", "nobody is asked: a match that is found begins", "" },
    { "modes", "backfill", SETTING_BOOLEAN, IN_MODE(mode.backfill), 0, 1, 0, "", "", "", "seats of players who left are given to others who fit", "" },
    { "modes", "rating_formula", SETTING_BOOLEAN, IN_MODE(mode.rating_formula), 0, 1, 0, "", "", "", "changes of ratings are multiplied by the rating formula's gain", "" },
    { "modes", "score_formula", SETTING_BOOLEAN, IN_MODE(mode.score_formula), 0, 1, 0, "", "", "", "of two teams the score formula says who has won; if it does not answer, the rules do", "" },
    { "modes", "roles", SETTING_NAMES, IN_MODE(roles), 0, VX_MATCH_ROLES_MAX, 0, "", "", "", "ROLE=PLAYERS that each team needs, roles of game.roles", "" },
    { "modes", "latency", SETTING_NAMES, IN_MODE(latency), 0, VX_MATCH_REGIONS, 0, "", "", "", "REGION=MS: most of every member, regions from 1 on; none: latency is not looked at", "" },
    { "modes", "equal", SETTING_NAMES, IN_MODE(equal), 0, VX_MATCH_ATTRIBUTES, 0, "", "", "", "ATTRIBUTE, or ATTRIBUTE=MS until it is given up: members have the same value", "" },
    { "modes", "common", SETTING_NAMES, IN_MODE(common), 0, VX_MATCH_SETS, 0, "", "", "", "SET: members' sets have an element in common", "" },

    { "game", "roles", SETTING_NAMES, IN_CONFIG(game.roles), 0, 16, 0, "", "", "", "names of the bits of a player's roles, the lowest first", "" },
    { "game", "attributes", SETTING_NAMES, IN_CONFIG(game.attributes), 0, VX_MATCH_ATTRIBUTES, 0, "", "", "", "names of the attributes in tokens, in their order", "" },
    { "game", "sets", SETTING_NAMES, IN_CONFIG(game.sets), 0, VX_MATCH_SETS, 0, "", "", "", "names of the sets in tokens, in their order", "" },

    { "idle", "policy", SETTING_CHOICE, IN_CONFIG(idle_policy), 0, 2, VX_IDLE_SLEEP, "", "busy pause sleep", "", "what a data-plane lcore does without work", "the next pass without work" },
    LIVE("idle", "after_polls", IN_CONFIG(idle_after_polls), 1, 1000000000, 1000, "polls", "empty polls before the policy applies", "the next pass without work"),
    LIVE("idle", "sleep_us", IN_CONFIG(idle_sleep_us), 1, 1000, 20, "us", "length of one sleep", "the next pass without work"),

    { "memory", "huge", SETTING_BOOLEAN, IN_CONFIG(memory.huge), 0, 1, 1, "", "", "", "take huge pages", "" },
    NUMBER("memory", "mbufs", IN_CONFIG(memory.mbufs), 512, 1 << 24, 8192, "buffers", "packet buffers of each NUMA node that io lcores run on"),
    NUMBER("memory", "arena_mib", IN_CONFIG(memory.arena_mib), 1, 1 << 20, 32, "MiB", "memory that shards take their state from"),

    { "transport", "kind", SETTING_CHOICE, IN_CONFIG(transport.kind), 0, 1, VX_TRANSPORT_PLAIN, "", "plain netcode", "", "plain: player ids are believed, for trusted networks; netcode: connect tokens, everything sealed", "" },
    NUMBER("transport", "udp_port", IN_CONFIG(transport.udp_port), 1, 65535, 40000, "", "the game's UDP port"),
    LIVE("transport", "window_us", IN_CONFIG(transport.window_us), 0, 100000, 1000, "us", "how long a result that is not urgent may wait for company", "the next reply packet that is begun"),
    LIVE("transport", "packets_per_s", IN_CONFIG(transport.packets_per_s), 0, LUA_WHOLE_MAX, 0, "packets/s", "send limit of the instance; 0: none", "the next pass; the allowance begins full"),
    NUMBER("transport", "players", IN_CONFIG(transport.players), 1, VX_PLAYERS_MAX, 120000, "players", "player ids are below this"),
    LIVE("transport", "busy_per_s", IN_CONFIG(transport.busy_per_s), 0, 100000000, 10000, "replies/s", "BUSY replies of each io lcore", "the next pass; the allowance begins full"),

    { "transport", "private_keys", SETTING_NAMES, IN_CONFIG(transport.private_keys), 0, 2, 0, "", "", "", "netcode: files of the keys that connect tokens are sealed with, the newest first", "" },
    STRING("transport", "protocol_id", IN_CONFIG(transport.protocol_id), 0, 23, "", "netcode: the game's 64 bits, decimal or 0x…, as tokens have them"),
    { "transport", "addresses", SETTING_NAMES, IN_CONFIG(transport.addresses), 0, 16, 0, "", "", "", "netcode: a.b.c.d:port and [v6]:port as tokens name this server; none: the ports' own", "" },
    NUMBER("transport", "token_s", IN_CONFIG(transport.token_s), 1, 30 * 86400, 45, "s", "netcode: longest lifetime that the backend gives tokens; after a start older ones are refused"),
    NUMBER("transport", "tokens", IN_CONFIG(transport.tokens), 0, 1 << 22, 0, "tokens", "netcode: unexpired tokens remembered; 0: twice the players"),
    NUMBER("transport", "keepalive_ms", IN_CONFIG(transport.keepalive_ms), 10, 60000, 1000, "ms", "netcode: silence after which a client is sent a keep-alive; never over a third of its time-out"),
    NUMBER("transport", "handshakes_per_s", IN_CONFIG(transport.handshakes_per_s), 0, 4000000, 50000, "requests/s", "netcode: connection requests that each io lcore opens; 0: no limit"),
    NUMBER("transport", "handshakes_per_prefix_per_s", IN_CONFIG(transport.handshakes_per_prefix_per_s), 0, 4000000, 2000, "requests/s", "netcode: of these, from one IPv4 /24 or IPv6 /56; 0: no limit"),
    NUMBER("transport", "grace_ms", IN_CONFIG(transport.grace_ms), 0, DAY_MS, 30000, "ms", "netcode: how long a player whose connection was lost keeps its place"),

    NUMBER("shards", "count", IN_CONFIG(shards.count), 1, VX_SHARDS_MAX, 1, "shards", "independent matchmaking worlds"),
    POWER("shards", "ring_events", IN_CONFIG(shards.ring_events), 64, 1 << 20, 512, "events", "length of each ring into a shard's lcore"),
    NUMBER("shards", "seed", IN_CONFIG(shards.seed), 0, LUA_WHOLE_MAX, 1, "", "all randomness of the shards comes from it"),
    NUMBER("shards", "hunts_max", IN_CONFIG(shards.hunts_max), 0, VX_PLAYERS_MAX, 0, "hunts", "live hunts of a shard; 0: half its players"),
    LIVE("shards", "proposal_ms", IN_CONFIG(shards.proposal_ms), 100, DAY_MS, 10000, "ms", "time to accept a proposal", "the next proposal"),
    LIVE("shards", "search_ms", IN_CONFIG(shards.search_ms), 100, DAY_MS, 120000, "ms", "life of a ticket", "every ticket, at its next timer"),
    LIVE("shards", "hunt_ms", IN_CONFIG(shards.hunt_ms), 100, DAY_MS, 180000, "ms", "length of a hunt", "the next hunt"),
    LIVE("shards", "idle_ms", IN_CONFIG(shards.idle_ms), 100, DAY_MS, 30000, "ms", "silence after which a player is offline", "every player, at its next timer"),
    LIVE("shards", "repeat_ms", IN_CONFIG(shards.repeat_ms), 1, 60000, 750, "ms", "first repeat of an unacknowledged result; doubles", "the next result that needs an acknowledgement"),
    LIVE("shards", "repeats_max", IN_CONFIG(shards.repeats_max), 1, 32, 8, "repeats", "then the player is gone", "the next repeat"),
    LIVE("shards", "cooldown_ms", IN_CONFIG(shards.cooldown_ms), 0, DAY_MS, 5000, "ms", "no search after a second proposal declined or let pass; doubles with each further one; 0: none", "the next proposal that is declined"),
    LIVE("shards", "job_ms", IN_CONFIG(shards.job_ms), 1, 60000, 50, "ms", "deadline of a formula", "the next formula job"),
    LIVE("shards", "speed_cm_s", IN_CONFIG(shards.speed_cm_s), 1, 1000000, 1200, "cm/s", "fastest MOVE", "the next MOVE"),
    LIVE("shards", "chest_range_cm", IN_CONFIG(shards.chest_range_cm), 1, 1000000, 300, "cm", "how near to open a chest", "the next SUMMON"),
    LIVE("shards", "strike_range_cm", IN_CONFIG(shards.strike_range_cm), 1, 1000000, 1000, "cm", "how near to strike", "the next STRIKE"),
    NUMBER("shards", "chests", IN_CONFIG(shards.chests), 1, 8, 8, "chests", "chests of a hunt"),

    NUMBER("rules", "bans_max", IN_CONFIG(rules.bans_max), 1, 1 << 16, 1 << 14, "bans", "most at a time"),
    POWER("rules", "sources", IN_CONFIG(rules.sources), 4, 1 << 24, 1 << 16, "sources", "token buckets of each io lcore, 16 bytes each"),
    NUMBER("rules", "packets_per_s", IN_CONFIG(rules.packets_per_s), 0, 1000000000, 0, "packets/s", "limit of each source: an IPv4 address, an IPv6 /64; 0: none"),
    NUMBER("rules", "burst", IN_CONFIG(rules.burst), 1, 1000000, 100, "packets", "what a source may send at once after a pause"),
    STRING("rules", "file", IN_CONFIG(rules.file), 0, VX_PATH_BYTES - 16, "", "keeps the bans over a restart; empty: nothing does"),

    STRING("formulas", "folder", IN_CONFIG(formulas.folder), 0, VX_PATH_BYTES - 1, "", "where the Lua formulas are; empty: those installed with veltrixd"),
    STRING("formulas", "versions", IN_CONFIG(formulas.versions), 0, VX_PATH_BYTES - 16, "", "keeps every version that was pushed; empty: formulas.db beside the ledger"),
    NUMBER("formulas", "idle_us", IN_CONFIG(formulas.idle_us), 0, 1000, 20, "us", "sleep of a worker without jobs, and up to 16 times that when none come; 0: none"),
    NUMBER("formulas", "deadline_ms", IN_CONFIG(formulas.deadline_ms), 1, 1000, 5, "ms", "CPU time of one batch of jobs; a formula that takes longer is quarantined"),
    NUMBER("formulas", "memory_mib", IN_CONFIG(formulas.memory_mib), 4, 1024, 16, "MiB", "Lua heap of a worker; a formula that needs more is quarantined"),
    LIVE("gate", "batch_us", IN_CONFIG(gate.batch_us), 1, 100000, 20, "us", "objective for a new formula: p99.9 of its batches of 64 jobs", "the next gate"),
    LIVE("gate", "batch_max_us", IN_CONFIG(gate.batch_max_us), 1, 1000000, 100, "us", "and the worst of them, alone and with the garbage collection behind it", "the next gate"),
    LIVE("gate", "live_percent", IN_CONFIG(gate.live_percent), 100, 100000, 200, "%", "most of the live version's time; above 2 us a batch", "the next gate"),
    LIVE("gate", "heap_bytes", IN_CONFIG(gate.heap_bytes), 1, 1000000000, 250, "bytes", "memory that 1,000 of its jobs may take", "the next gate"),
    LIVE("canary", "batch_percent", IN_CONFIG(canary.batch_percent), 100, 100000, 300, "%", "most of the other shards' median batch; above 20 us", "the next look at a canary"),
    LIVE("canary", "timed_out", IN_CONFIG(canary.timed_out), 1, 1000000, 1000, "jobs", "more jobs timed out than on the other shards, of a million", "the next look at a canary"),
    LIVE("canary", "hunt_percent", IN_CONFIG(canary.hunt_percent), 1, 10000, 30, "%", "hunts longer or shorter than on the other shards", "the next look at a canary"),
    LIVE("canary", "loot_percent", IN_CONFIG(canary.loot_percent), 1, 10000, 25, "%", "loot in an hour of hunts, more or less than on the other shards", "the next look at a canary"),
    LIVE("canary", "favourites_percent", IN_CONFIG(canary.favourites_percent), 1, 100, 15, "%", "favourites' part of the wins, more or less, in each band of rating", "the next look at a canary"),
    LIVE("canary", "events", IN_CONFIG(canary.events), 1, 1000000000, 200, "events", "that each side must have before a figure is judged", "the next look at a canary"),
    LIVE("canary", "jobs", IN_CONFIG(canary.jobs), 1, 1000000000, 1000, "jobs", "the same for jobs timed out", "the next look at a canary"),
    STRING("ledger", "path", IN_CONFIG(ledger.path), 1, VX_PATH_BYTES - 16, "/var/lib/veltrix/ledger.db", "the grants' database"),
    STRING("control", "socket", IN_CONFIG(control.socket), 1, SOCKET_PATH_BYTES, "/run/veltrix/control.sock", "where veltrixctl connects"),
    { "control", "mode", SETTING_MODE, IN_CONFIG(control.mode), 0, 0777, 0660, "", "", "", "file mode of the socket, octal", "" },
    STRING("control", "group", IN_CONFIG(control.group), 0, VX_NAME_BYTES - 1, "", "group of the socket: its members may look; empty: whoever the mode lets in"),
    { "control", "admins", SETTING_NAMES, IN_CONFIG(control.admins), 0, 32, 0, "", "", "", "users who may change, besides root and veltrixd's own", "" },
    STRING("control", "history", IN_CONFIG(control.history), 0, VX_PATH_BYTES - 1, "", "file of all changes; empty: history.jsonl beside the ledger"),
    STRING("metrics", "address", IN_CONFIG(metrics.address), 2, 45, "127.0.0.1", "IPv4 or IPv6 address at which metrics and the status page are served; whoever reaches it may read"),
    NUMBER("metrics", "port", IN_CONFIG(metrics.port), 0, 65535, 9464, "", "its TCP port; 0: no metrics over HTTP"),
    LIVE("watch", "stall_ms", IN_CONFIG(watch.stall_ms), 20, 60000, 50, "ms", "an lcore that polls nothing for so long is reported", "the next look, 10 ms later"),
    LIVE("watch", "dead_ms", IN_CONFIG(watch.dead_ms), 0, 600000, 10000, "ms", "and after so long given up: veltrixd ends and is started anew; 0: never", "the next look, 10 ms later"),
    NUMBER("capture", "buffers", IN_CONFIG(capture.buffers), 64, 1 << 20, 1024, "packets", "packets of a capture on their way to its file"),
    { "log", "level", SETTING_CHOICE, IN_CONFIG(log_level), 0, 4, LOG_INFO_INDEX, "", "error warning notice info debug", "", "least level of log lines", "the next line" },
};
const uint32_t config_setting_count = sizeof(config_settings) / sizeof(config_settings[0]);

const struct config_list config_lists[CONFIG_LISTS] = {
    { "lcores", offsetof(struct vx_config, lcores), sizeof(struct vx_config_lcore), offsetof(struct vx_config, lcore_count), 1, VX_CPUS_MAX },
    { "ports", offsetof(struct vx_config, ports), sizeof(struct vx_config_port), offsetof(struct vx_config, port_count), 1, VX_PORTS_MAX },
    { "modes", offsetof(struct vx_config, modes), sizeof(struct vx_config_mode), offsetof(struct vx_config, mode_count), 0, VX_MATCH_MODES_MAX },
};

bool config_section_is_list(const char *section)
{
    for (uint32_t i = 0; i < CONFIG_LISTS; i++)
        if (strcmp(section, config_lists[i].section) == 0)
            return true;
    return false;
}
