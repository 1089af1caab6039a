/* config: both examples load, and everything that can be wrong is refused in a sentence. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vx_config.h"
#include "vx_test.h"

static struct vx_config config;
static struct vx_error error;
static char file[64];

static int load_bytes(const char *text, size_t bytes)
{
    strcpy(file, "/tmp/vx_config_XXXXXX");
    int fd = mkstemp(file);
    CU_ASSERT_FATAL(fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes);
    close(fd);
    memset(&error, 0, sizeof(error));
    int code = vx_config_load(file, &config, &error);
    unlink(file);
    return code;
}

static int load_example(const char *name)
{
    char path[512];
    const char *root = getenv("VX_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/docs/config/%s", root != NULL ? root : ".", name);
    error.text[0] = '\0';
    int code = vx_config_load(path, &config, &error);
    if (code != 0)
        fprintf(stderr, "%s\n", error.text);
    return code;
}

static void two_core_example_loads(void)
{
    CU_ASSERT_EQUAL_FATAL(load_example("two-core.lua"), 0);
    CU_ASSERT_EQUAL(config.lcore_count, 2);
    CU_ASSERT_EQUAL(config.lcores[0].roles, VX_ROLE_IO | VX_ROLE_SHARD);
    CU_ASSERT_EQUAL(config.lcores[0].port, 0);
    CU_ASSERT_EQUAL(config.lcores[1].cpu, 1);
    CU_ASSERT_EQUAL(config.lcores[1].roles, VX_ROLE_CONTROL);
    CU_ASSERT_STRING_EQUAL(config.ports[0].kind, "memif");
    CU_ASSERT_EQUAL(config.ports[0].address4[0], htonl(0x0a000001));
    CU_ASSERT_EQUAL(config.ports[0].address6[0][0], 0xfd);
    CU_ASSERT_EQUAL(config.ports[0].address6_count, 1);
    CU_ASSERT(config.ports[0].owned);
    CU_ASSERT_EQUAL(config.idle_policy, VX_IDLE_SLEEP);
    CU_ASSERT_EQUAL(config.idle_after_polls, 1000);
    CU_ASSERT_EQUAL(config.transport.players, 120000);
    CU_ASSERT_EQUAL(config.transport.udp_port, 40000);
    CU_ASSERT_EQUAL(config.shards.count, 40);
    CU_ASSERT_EQUAL(config.control.mode, 0660);
    CU_ASSERT_STRING_EQUAL(config.ledger.path, "/var/lib/veltrix/ledger.db");
}

static void c5_metal_example_loads(void)
{
    CU_ASSERT_EQUAL_FATAL(load_example("c5-metal.lua"), 0);
    CU_ASSERT_EQUAL(config.lcore_count, 41);
    CU_ASSERT_EQUAL(config.ports[0].queues, 8);
    CU_ASSERT_EQUAL(config.lcores[8].queue, 7);
    CU_ASSERT_EQUAL(config.idle_policy, VX_IDLE_BUSY);
    CU_ASSERT_EQUAL(config.transport.packets_per_s, 2000000);
}

#define IO "{cpu=0,roles={'io','shard'},port=1}"
#define CONTROL "{cpu=1,roles={'control'}}"
#define PORT "{kind='ring',addresses={'10.0.0.1'}}"
#define WITH(lcores, ports, rest) "return {lcores={" lcores "},ports={" ports "}," rest "}"
#define GOOD(rest) WITH(IO "," CONTROL, PORT, rest)

static void what_is_left_out_has_a_default(void)
{
    CU_ASSERT_EQUAL_FATAL(load_bytes(GOOD(""), strlen(GOOD(""))), 0);
    CU_ASSERT_EQUAL(config.ports[0].descriptors, 1024);
    CU_ASSERT(config.memory.huge);
    CU_ASSERT_EQUAL(config.shards.proposal_ms, 10000);
    CU_ASSERT(config.transport.kind == VX_TRANSPORT_PLAIN && config.transport.token_s == 45 && config.transport.keepalive_ms == 1000);
    CU_ASSERT_STRING_EQUAL(config.control.socket, "/run/veltrix/control.sock");
}

static void modes_are_read_whole(void)
{
    static const char text[] = GOOD("game={roles={'tank','healer'},attributes={'language'},sets={'platform'}},"
                                    "modes={{name='duel'},{name='fives',size_min=5,size_max=5,roles={'healer=2'},latency={'1=60','2=80'},equal={'language=30000'},"
                                    "common={'platform'},rating='plackett_luce',auto_accept=true,window_points=100}}");
    CU_ASSERT_EQUAL_FATAL(load_bytes(text, strlen(text)), 0);
    CU_ASSERT_EQUAL_FATAL(config.mode_count, 2);
    const struct vx_mode *mode = &config.modes[1].mode;
    struct vx_mode otherwise;
    vx_mode_default(&otherwise);
    CU_ASSERT_EQUAL(memcmp(&config.modes[0].mode, &otherwise, sizeof(otherwise)), 0);
    CU_ASSERT(mode->size_min == 5 && mode->roles[0] == (1u << VX_MODE_ROLE_SHIFT | 2) && mode->latency_ms[1] == 80 && mode->equal_ms[0] == 30000);
    CU_ASSERT(mode->common[0] == 1 && mode->rating == VX_MODE_PLACKETT_LUCE && mode->auto_accept == 1 && mode->window_points == 100);
}

static const struct refusal {
    const char *lua, *key, *says;
} refusals[] = {
    { GOOD("transprot={}"), "transprot", "no such key" },
    { GOOD("[7]={}"), ": 7 is", "no such key" },
    { GOOD("idle={polls=3}"), "idle.polls is 3", "no such key" },
    { GOOD("idle={policy='nap'}"), "idle.policy is \"nap\"", "busy pause sleep" },
    { GOOD("idle={policy='busy pause'}"), "idle.policy", "one of" },
    { GOOD("idle=3"), "idle is 3", "a table" },
    { GOOD("memory={huge=1}"), "memory.huge is 1", "true or false" },
    { GOOD("memory={mbufs='many'}"), "memory.mbufs is \"many\"", "whole number" },
    { GOOD("shards={count=0}"), "shards.count is 0", "from 1 to 256" },
    { GOOD("shards={count=257}"), "shards.count is 257", "from 1 to 256" },
    { GOOD("shards={count=1.5}"), "shards.count is 1.5", "whole number" },
    { GOOD("shards={count=0/0}"), "shards.count is", "whole number" },
    { GOOD("shards={count=-1}"), "shards.count is -1", "whole number" },
    { GOOD("shards={ring_events=500}"), "shards.ring_events is 500", "power of two" },
    { GOOD("transport={kind='tcp'}"), "transport.kind is \"tcp\"", "plain netcode" },
    { GOOD("transport={private_keys={'a','b','c'}}"), "transport.private_keys", "at most 2 names" },
    { GOOD("transport={protocol_id=7}"), "transport.protocol_id is 7", "text of 0 to 23 bytes" },
    { GOOD("transport={keepalive_ms=5}"), "transport.keepalive_ms is 5", "from 10 to 60000" },
    { GOOD("transport={udp_port=65536}"), "transport.udp_port is 65536", "from 1 to 65535" },
    { GOOD("control={mode='0999'}"), "control.mode is \"0999\"", "octal" },
    { GOOD("control={mode=660}"), "control.mode is 660", "octal" },
    { GOOD("ledger={path=''}"), "ledger.path is \"\"", "1 to" },
    { GOOD("ledger={path='a\\0b'}"), "ledger.path", "text" },
    { WITH(IO ",{cpu=0,roles={'control'}}", PORT, ""), "lcores[2].cpu is 0", "lcores[1] does not have" },
    { WITH("{cpu=0,roles={'io','shard'},port=2}," CONTROL, PORT, ""), "lcores[1].port is 2", "from 1 to 1" },
    { WITH("{cpu=0,roles={'io','shard'}}," CONTROL, PORT, ""), "lcores[1].port is 0", "from 1 to 1" },
    { WITH("{cpu=0,roles={'io','shard'},port=1,queue=1}," CONTROL, PORT, ""), "lcores[1].queue is 1", "below ports[1].queues" },
    { WITH(IO "," CONTROL ",{cpu=2,roles={'io'},port=1}", PORT, ""), "lcores[3].queue is 0", "does not poll already" },
    { WITH(IO "," CONTROL ",{cpu=2,roles={'shard'},port=1}", PORT, ""), "lcores[3].port is 1", "without the role" },
    { WITH("{cpu=0,roles={'io'},port=1}," CONTROL, PORT, ""), "lcores has 0", "\"shard\"" },
    { WITH("{cpu=0,roles={'shard'}}," CONTROL, PORT, ""), "lcores has 0", "\"io\"" },
    { WITH(IO, PORT, ""), "lcores has 0", "\"control\"" },
    { WITH("{roles={'control'}}", PORT, ""), "lcores[1].cpu is absent", "whole number" },
    { WITH("{cpu=512,roles={'control'}}", PORT, ""), "lcores[1].cpu is 512", "511" },
    { WITH("{cpu=0,roles={'boss'}}", PORT, ""), "lcores[1].roles is \"boss\"", "io shard control" },
    { WITH("{cpu=0,roles={'io','io'}}", PORT, ""), "lcores[1].roles", "different" },
    { WITH("{cpu=0,roles={}}", PORT, ""), "lcores[1].roles", "list" },
    { WITH(IO "," CONTROL, PORT, "control={admins='root'}"), "control.admins is \"root\"", "list of at most 32 names" },
    { WITH(IO "," CONTROL, PORT, "control={admins={'ops','a b'}}"), "control.admins is \"a b\"", "names in quotes" },
    { WITH("", PORT, ""), "lcores is a table", "1 to 512" },
    { WITH("7", PORT, ""), "lcores[1] is 7", "a table" },
    { WITH(IO "," CONTROL, "", ""), "ports is a table", "1 to 8" },
    { WITH(IO "," CONTROL, "{kind='ne2000'}", ""), "ports[1].kind is \"ne2000\"", "memif" },
    { WITH(IO "," CONTROL, "{addresses={}}", ""), "ports[1].kind is absent", "memif" },
    { WITH(IO "," CONTROL, "{kind='ring'}", ""), "ports[1].addresses is empty", "at least one" },
    { WITH(IO "," CONTROL, "{kind='ring',addresses={'10.0.0'}}", ""), "ports[1].addresses is \"10.0.0\"", "IPv4" },
    { WITH(IO "," CONTROL, "{kind='ring',addresses={'10.0.0.1'},queues=2}", ""), "ports[1].queues is 2", "queue 1 has none" },
    { GOOD("modes={{}}"), "modes[1].name is absent", "text" },
    { GOOD("modes=3"), "modes is 3", "a list of 0 to 16 tables" },
    { GOOD("modes={{name='a'},{name='a'}}"), "modes[2].name is \"a\"", "another" },
    { GOOD("modes={{name='a',size_min=6,size_max=5}}"), "modes[1]", "size_min 6" },
    { GOOD("modes={{name='a',size_max=33}}"), "modes[1].size_max is 33", "from 1 to 32" },
    { GOOD("modes={{name='a',rating='chess'}}"), "modes[1].rating is \"chess\"", "glicko2" },
    { GOOD("game={roles={'tank'}},modes={{name='a',roles={'tnk=1'}}}"), "modes[1].roles is { tnk=1 }", "game.roles: tank" },
    { GOOD("game={roles={'tank'}},modes={{name='a',roles={'tank'}}}"), "modes[1].roles", "ROLE=PLAYERS" },
    { GOOD("game={roles={'tank'}},modes={{name='a',roles={'tank=2'}}}"), "modes[1]", "roles need 2 players" },
    { GOOD("game={roles={'tank'}},modes={{name='a',size_min=3,size_max=3,roles={'tank=1','tank=1'}}}"), "modes[1].roles", "each role once" },
    { GOOD("modes={{name='a',latency={'9=50'}}}"), "modes[1].latency is { 9=50 }", "regions from 1 to 8" },
    { GOOD("modes={{name='a',latency={'2=50'}}}"), "modes[1]", "without a gap" },
    { GOOD("modes={{name='a',latency={'1=fast'}}}"), "modes[1].latency", "REGION=MS" },
    { GOOD("modes={{name='a',equal={'language'}}}"), "modes[1].equal", "game.attributes" },
    { GOOD("game={sets={'platform'}},modes={{name='a',common={'platform=5'}}}"), "modes[1].common", "game.sets" },
    { "return 7", "the file's result is 7", "return {" },
    { "", "the file's result is absent", "return {" },
    { "return {\n  lcores = = }", ":2:", "unexpected" },
    { "return {\n  lcores = os.getenv('HOME') }", ":2:", "os" },
    { "local s = ('x'):rep(10) return {}", ":1:", "index" },
    { "while true do end", "vx_config_", "still running" },
    { "local t = {} for i = 1, 1e9 do t[i] = i .. 'some text' end", "vx_config_", "expected a table" },
    { "\x1bLJ\x02", "vx_config_", "wrong mode" },
};

static void what_is_wrong_is_refused_in_a_sentence(void)
{
    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *refusal = &refusals[i];
        CU_ASSERT_EQUAL(load_bytes(refusal->lua, strlen(refusal->lua)), -EINVAL);
        bool fits = strstr(error.text, refusal->key) && strstr(error.text, refusal->says) && strstr(error.text, "vx_config_");
        if (!fits)
            fprintf(stderr, "\n  %s\n  says: %s\n  lacks: %s | %s\n", refusal->lua, error.text, refusal->key, refusal->says);
        CU_ASSERT(fits);
    }
}

static void a_missing_file_is_named(void)
{
    CU_ASSERT_EQUAL(vx_config_load("/nonexistent/veltrix.lua", &config, &error), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent/veltrix.lua"));
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "the two-core example loads", two_core_example_loads },
        { "the c5.metal example loads", c5_metal_example_loads },
        { "what is left out has a default", what_is_left_out_has_a_default },
        { "modes are read whole", modes_are_read_whole },
        { "what is wrong is refused in a sentence", what_is_wrong_is_refused_in_a_sentence },
        { "a missing file is named", a_missing_file_is_named },
    };
    return vx_test_main("config", tests, sizeof(tests) / sizeof(tests[0]));
}
