/* wire: names, shed classes and codes of the action protocol, and the check of a client payload. */
#include <string.h>

#include "frame_build.h"
#include "vx_test.h"

enum { PLAYERS = 100 };

static enum vx_drop check(const struct build *build, uint32_t players)
{
    const struct vx_wire_header *header = NULL;
    enum vx_drop drop = vx_wire_check(build->data, build->bytes, players, &header);
    CU_ASSERT_PTR_EQUAL(header, drop == VX_DROP_NONE ? (const void *)build->data : NULL);
    return drop;
}

/* A good payload of `count` actions for player 7. */
static struct build payload(uint32_t count)
{
    struct build build = { .bytes = 0 };
    build_actions(&build, 7, count);
    return build;
}

static enum vx_drop check_with(uint32_t offset, uint8_t value)
{
    struct build build = payload(2);
    build.data[offset] = value;
    return check(&build, PLAYERS);
}

static void names_follow_the_protocol(void)
{
    static const char *const actions[] = { "?", "FIND", "CANCEL", "ACCEPT", "DECLINE", "MOVE", "SUMMON", "STRIKE", "ACK", "LEAVE", "PING", "INVITE", "JOIN", "LEAVE_PARTY", "STATUS", "BLOCK" };
    for (uint32_t type = 0; type < 256; type++)
        CU_ASSERT_STRING_EQUAL(vx_action_name((uint8_t)type), type < sizeof(actions) / sizeof(actions[0]) ? actions[type] : "?");
    static const struct {
        uint8_t type;
        const char *name;
    } results[] = { { 0, "?" }, { 1, "OK" }, { 2, "PONG" }, { 3, "ERROR" }, { 4, "REPEATED" }, { 5, "?" }, { 0x40, "?" }, { 0x41, "QUEUE_STATUS" },
                    { 0x42, "PROPOSAL" }, { 0x43, "HUNT_STARTED" }, { 0x44, "CHEST" }, { 0x45, "STRIKE_RESULT" }, { 0x46, "LOOT_GRANTED" },
                    { 0x47, "HUNT_ENDED" }, { 0x48, "INVITED" }, { 0x49, "PARTY" }, { 0x4a, "PLACE" }, { 0x4b, "SEAT" }, { 0x4c, "?" }, { 255, "?" } };
    for (uint32_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        CU_ASSERT_STRING_EQUAL(vx_result_name(results[i].type), results[i].name);
}

static void codes_follow_the_protocol(void)
{
    static const char *const codes[] = { "OK", "BUSY", "WRONG_STATE", "BAD_ARGUMENT", "TOO_FAST", "TOO_FAR", "TAKEN", "NOT_YOURS", "TIMED_OUT", "CANCELLED",
                                         "DECLINED", "LOST", "DRAWN", "ABANDONED", "FORMULA", "STALE", "DRAINING", "NOT_HERE", "NOT_LEADER", "PARTY_FULL", "PARTY_APART", "NO_MODE", "ROLES",
                                         "NO_REGION", "COOLING_DOWN" };
    for (uint32_t code = 0; code < 256; code++)
        CU_ASSERT_STRING_EQUAL(vx_code_name((uint8_t)code), code < sizeof(codes) / sizeof(codes[0]) ? codes[code] : "?");
}

static void what_can_be_repeated_goes_first(void)
{
    static const uint8_t classes[] = { 0, 1, 1, 2, 1, 0, 2, 1, 2, 1, 0, 1, 1, 1, 1, 1 };
    for (uint32_t type = 0; type < 256; type++) {
        uint8_t class = vx_action_shed_class((uint8_t)type);
        CU_ASSERT(class < VX_SHED_CLASSES);
        CU_ASSERT_EQUAL(class, type < sizeof(classes) ? classes[type] : 0);
    }
}

static void bit_six_says_how_long_a_result_is(void)
{
    CU_ASSERT_EQUAL(vx_result_bytes(VX_RESULT_REPEATED), 8);
    CU_ASSERT_EQUAL(vx_result_bytes(VX_RESULT_QUEUE_STATUS), 24);
    CU_ASSERT_EQUAL(vx_result_bytes(VX_RESULT_HUNT_ENDED), 24);
}

/* The packet that docs/protocol.md annotates. */
static void the_documented_packet_passes(void)
{
    static const uint8_t packet[] = "\x56\x01\x02\x00\x07\x00\x00\x00\x29\x00\x00\x00\x03\x00\x00\x00"
                                    "\x05\x00\x00\x00\x64\x00\x00\x00\x9c\xff\xff\xff\x00\x00\x00\x00"
                                    "\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    const struct vx_wire_header *header = NULL;
    CU_ASSERT_EQUAL_FATAL(vx_wire_check(packet, sizeof(packet) - 1, 8, &header), VX_DROP_NONE);
    CU_ASSERT_PTR_EQUAL(header, packet);
    CU_ASSERT(header->player == 7 && header->number == 41 && header->seen == 3);
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(header + 1);
    CU_ASSERT(actions[0].type == VX_ACTION_MOVE && (int32_t)actions[0].a == 100 && (int32_t)actions[0].b == -100 && actions[0].c == 0);
    CU_ASSERT_EQUAL(actions[1].type, VX_ACTION_PING);
}

static void every_count_has_one_length(void)
{
    for (uint32_t count = 0; count <= VX_WIRE_ACTIONS_MAX + 1; count++) {
        struct build build = payload(count);
        bool good = count >= 1 && count <= VX_WIRE_ACTIONS_MAX;
        CU_ASSERT_EQUAL(check(&build, PLAYERS), good ? VX_DROP_NONE : VX_DROP_BAD_COUNT);
        for (uint32_t bytes = 0, whole = build.bytes; bytes < whole + 20; bytes++) {
            build.bytes = bytes;
            if (bytes != whole)
                CU_ASSERT_EQUAL(check(&build, PLAYERS), bytes < 16 ? VX_DROP_SHORT_HEADER : VX_DROP_BAD_COUNT);
        }
    }
    CU_ASSERT_EQUAL(check_with(2, 255), VX_DROP_BAD_COUNT);
    CU_ASSERT_EQUAL(check_with(2, 1), VX_DROP_BAD_COUNT);
    CU_ASSERT_EQUAL(check_with(2, 2), VX_DROP_NONE);
}

static void magic_version_and_flags_are_exact(void)
{
    for (uint32_t value = 0; value < 256; value++) {
        CU_ASSERT_EQUAL(check_with(0, (uint8_t)value), value == 0x56 ? VX_DROP_NONE : VX_DROP_BAD_MAGIC);
        CU_ASSERT_EQUAL(check_with(1, (uint8_t)value), value == 1 ? VX_DROP_NONE : VX_DROP_BAD_MAGIC);
        CU_ASSERT_EQUAL(check_with(3, (uint8_t)value), value == 0 ? VX_DROP_NONE : VX_DROP_BAD_MAGIC);
    }
}

static void a_player_is_below_players(void)
{
    struct build build = payload(1);
    CU_ASSERT_EQUAL(check(&build, 8), VX_DROP_NONE);
    CU_ASSERT_EQUAL(check(&build, 7), VX_DROP_BAD_PLAYER);
    CU_ASSERT_EQUAL(check(&build, 0), VX_DROP_BAD_PLAYER);
    CU_ASSERT_EQUAL(check_with(4, PLAYERS - 1), VX_DROP_NONE);
    CU_ASSERT_EQUAL(check_with(4, PLAYERS), VX_DROP_BAD_PLAYER);
    CU_ASSERT_EQUAL(check_with(7, 0x80), VX_DROP_BAD_PLAYER);
}

static void every_action_has_a_type(void)
{
    for (uint32_t value = 0; value < 256; value++) {
        enum vx_drop expected = value >= VX_ACTION_FIND && value <= VX_ACTION_BLOCK ? VX_DROP_NONE : VX_DROP_BAD_ACTION;
        CU_ASSERT_EQUAL(check_with(16, (uint8_t)value), expected);
        CU_ASSERT_EQUAL(check_with(32, (uint8_t)value), expected);
    }
}

int main(void)
{
    static const struct vx_test tests[] = {
        { "names follow the protocol", names_follow_the_protocol },
        { "codes follow the protocol", codes_follow_the_protocol },
        { "what can be repeated goes first", what_can_be_repeated_goes_first },
        { "bit six says how long a result is", bit_six_says_how_long_a_result_is },
        { "the documented packet passes", the_documented_packet_passes },
        { "every count has one length", every_count_has_one_length },
        { "magic, version and flags are exact", magic_version_and_flags_are_exact },
        { "a player is below players", a_player_is_below_players },
        { "every action has a type", every_action_has_a_type },
    };
    return vx_test_main("wire actions", tests, sizeof(tests) / sizeof(tests[0]));
}
