/* wire: the bytes of the action protocol, and of the frames that carry them. Pure: bytes in, fields
 * or a drop reason out; no NIC, no clock. docs/protocol.md says the same for people.
 * Every integer of the action protocol is little-endian (as netcode's are). */
#ifndef VX_WIRE_H
#define VX_WIRE_H

#include "vx_base.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire structs are read in place");

enum {
    VX_WIRE_MAGIC_CLIENT = 0x56, /* 'V': player to server */
    VX_WIRE_MAGIC_SERVER = 0x76, /* 'v': server to player; differs so that nothing can be reflected */
    VX_WIRE_VERSION = 1,
    VX_WIRE_ACTIONS_MAX = 16,    /* actions in a client packet */
    VX_WIRE_REPLY_BYTES_MAX = 512, /* payload of a server packet */
};

/* Client to server: header, then `count` actions (1 to VX_WIRE_ACTIONS_MAX), nothing after. */
struct vx_wire_header {
    uint8_t magic;
    uint8_t version;
    uint8_t count;   /* actions that follow */
    uint8_t flags;   /* 0 */
    uint32_t player; /* plain transport: below the configured number of players */
    uint32_t number; /* action number of the first action; the i-th has number + i */
    uint32_t seen;   /* the highest result number received in order, 0 for none */
} __attribute__((packed));
static_assert(sizeof(struct vx_wire_header) == 16, "wire");

struct vx_wire_action {
    uint8_t type;   /* enum vx_action */
    uint8_t arg8;
    uint16_t arg16;
    uint32_t a, b, c;
} __attribute__((packed));
static_assert(sizeof(struct vx_wire_action) == 16, "wire");

/* Name, number, shed class: 0 goes first when a ring is full, 2 last. */
#define VX_ACTIONS(X)                                                                              \
    X(FIND, 1, 1)    /* arg8 mode, arg16 roles (0: keep), a further modes by bit, b rating (0: keep), c deviation (0: keep) */ \
    X(CANCEL, 2, 1)                                                                                \
    X(ACCEPT, 3, 2)  /* a match */                                                                 \
    X(DECLINE, 4, 1) /* a match */                                                                 \
    X(MOVE, 5, 0)    /* a, b, c: x, y, z, int32 centimetres */                                     \
    X(SUMMON, 6, 2)  /* arg16 chest index in the hunt, a match */                                  \
    X(STRIKE, 7, 1)  /* a match, arg8 weapon 0..3, arg16 target's seat + 1 (0: the nearest opponent) */ \
    X(ACK, 8, 2)     /* a: highest result number received in order */                             \
    X(LEAVE, 9, 1)                                                                                 \
    X(PING, 10, 0)                                                                                 \
    X(INVITE, 11, 1) /* a player, arg16 own roles (0: keep) */                                     \
    X(JOIN, 12, 1)   /* a party, arg16 own roles (0: keep) */                                      \
    X(LEAVE_PARTY, 13, 1)                                                                          \
    X(STATUS, 14, 1) /* in a match: a its seat (VX_SEAT_OWN: one's own) */                         \
    X(BLOCK, 15, 1)  /* a player, arg8 1 block, 0 no longer */
enum vx_action {
    VX_ACTION_NONE = 0,
#define VX_ACTION_ENUM(name, number, shed) VX_ACTION_##name = number,
    VX_ACTIONS(VX_ACTION_ENUM)
#undef VX_ACTION_ENUM
        VX_ACTION_COUNT
};
enum { VX_SHED_CLASSES = 3 };
#define VX_SEAT_OWN UINT32_MAX
/* The action's name, "?" when unknown; and its shed class, below VX_SHED_CLASSES. */
const char *vx_action_name(uint8_t type);
uint8_t vx_action_shed_class(uint8_t type);

/* Server to client: header, then `count` results, short or long by type. */
struct vx_wire_reply_header {
    uint8_t magic;
    uint8_t version;
    uint8_t count;
    uint8_t flags; /* 0 */
    uint32_t player;
} __attribute__((packed));
static_assert(sizeof(struct vx_wire_reply_header) == 8, "wire");

struct vx_wire_short {
    uint8_t type; /* enum vx_result, bit 6 clear */
    uint8_t code; /* enum vx_code */
    uint16_t arg16;
    uint32_t action_number;
} __attribute__((packed));
static_assert(sizeof(struct vx_wire_short) == 8, "wire");

struct vx_wire_long {
    uint8_t type; /* enum vx_result, bit 6 set */
    uint8_t code;
    uint16_t arg16;
    uint32_t action_number; /* the action answered, 0 for a notice */
    uint32_t result_number; /* 1, 2, 3, … for what is repeated until acknowledged, else 0 */
    uint32_t a, b, c;
} __attribute__((packed));
static_assert(sizeof(struct vx_wire_long) == 24, "wire");

enum { VX_RESULT_LONG_BIT = 0x40 };
/* Every action has exactly one answer: a result with its action number. The others are notices. */
#define VX_RESULTS(X)                                                                              \
    X(OK, 0x01)            /* done; MOVE, ACCEPT, DECLINE, CANCEL, ACK, LEAVE */                   \
    X(PONG, 0x02)                                                                                  \
    X(ERROR, 0x03)         /* code says why; nothing changed */                                    \
    X(REPEATED, 0x04)      /* this action number was taken before */                              \
    X(QUEUE_STATUS, 0x41)  /* code OK|TIMED_OUT|CANCELLED; a waiting players, b window, c waited ms; answers FIND */ \
    X(PROPOSAL, 0x42)      /* arg16 mode, a match, b opponents' mean rating, c ms to accept */     \
    X(HUNT_STARTED, 0x43)  /* a match, b hunt seed (chest positions), c ms; arg16 chests */        \
    X(CHEST, 0x44)         /* answers SUMMON or notice; code OK (yours)|TAKEN; arg16 index, a match */ \
    X(STRIKE_RESULT, 0x45) /* answers STRIKE or notice (action_number 0: you were hit); arg16 damage, a match, b target's health, c formula version */ \
    X(LOOT_GRANTED, 0x46)  /* arg16 item, a receipt low, b receipt high, c amount */               \
    X(HUNT_ENDED, 0x47)    /* code OK (won)|LOST|DRAWN|ABANDONED; arg16 place, a match, b rating before, c after */ \
    X(INVITED, 0x48)       /* a party, b its leader */                                             \
    X(PARTY, 0x49)         /* answers JOIN, INVITE, LEAVE_PARTY, STATUS in the lobby, or notice; arg16 players, a party (0: none), b its leader */ \
    X(PLACE, 0x4a)         /* answers STATUS while searching; arg16 window, a position, b estimated wait ms (UINT32_MAX: not measured yet), c waited ms */ \
    X(SEAT, 0x4b)          /* answers STATUS in a match; arg16 seat | team << 8, a match, b player (UINT32_MAX: nobody now), c rating */
enum vx_result {
#define VX_RESULT_ENUM(name, number) VX_RESULT_##name = number,
    VX_RESULTS(VX_RESULT_ENUM)
#undef VX_RESULT_ENUM
};
const char *vx_result_name(uint8_t type); /* "?" when unknown */
static inline uint32_t vx_result_bytes(uint8_t type)
{
    return type & VX_RESULT_LONG_BIT ? sizeof(struct vx_wire_long) : sizeof(struct vx_wire_short);
}

#define VX_CODES(X)                                                                                \
    X(OK, 0)                                                                                       \
    X(BUSY, 1)          /* shed or out of room: try again later */                                 \
    X(WRONG_STATE, 2)   /* the state table has no row for this action now */                       \
    X(BAD_ARGUMENT, 3)                                                                             \
    X(TOO_FAST, 4)      /* MOVE beyond the speed limit: position unchanged */                     \
    X(TOO_FAR, 5)       /* chest or opponent out of range */                                       \
    X(TAKEN, 6)                                                                                    \
    X(NOT_YOURS, 7)     /* a match that the player is not in */                                    \
    X(TIMED_OUT, 8)                                                                                \
    X(CANCELLED, 9)                                                                                \
    X(DECLINED, 10)     /* a proposal fell apart: back to searching */                             \
    X(LOST, 11)                                                                                    \
    X(DRAWN, 12)                                                                                   \
    X(ABANDONED, 13)                                                                               \
    X(FORMULA, 14)      /* the formula did not answer in time */                                   \
    X(STALE, 15)        /* action number too old for the window */                                 \
    X(DRAINING, 16)     /* the server is stopping: no new games */                                \
    X(NOT_HERE, 17)     /* no such player or party on this shard */                                \
    X(NOT_LEADER, 18)   /* the party's leader does that */                                         \
    X(PARTY_FULL, 19)   /* no party is larger, or none that the mode admits */                     \
    X(PARTY_APART, 20)  /* a member is missing, on another shard, or not in the lobby */           \
    X(NO_MODE, 21)      /* no mode of that number */                                               \
    X(ROLES, 22)        /* the party leaves no room for the roles that its team needs */           \
    X(NO_REGION, 23)    /* no region near enough for all members, ever */                          \
    X(COOLING_DOWN, 24) /* declined too often: try again later */
enum vx_code {
#define VX_CODE_ENUM(name, number) VX_CODE_##name = number,
    VX_CODES(VX_CODE_ENUM)
#undef VX_CODE_ENUM
        VX_CODE_COUNT
};
/* The code's name, "?" when unknown. Static text. */
const char *vx_code_name(uint8_t code);

enum { VX_FIELD_CM = 3000 };
/* Where chest `index` of a hunt lies: documented, so that client and server agree without bytes.
 * Each coordinate is uniform in +-VX_FIELD_CM; z is 0. */
static inline void vx_chest_position(uint32_t hunt_seed, uint32_t index, int32_t position_cm[3])
{
    uint64_t r = vx_mix64(((uint64_t)hunt_seed << 16) | index);
    position_cm[0] = (int32_t)((r & 0xffffffff) % (2 * VX_FIELD_CM + 1)) - VX_FIELD_CM;
    position_cm[1] = (int32_t)((r >> 32) % (2 * VX_FIELD_CM + 1)) - VX_FIELD_CM;
    position_cm[2] = 0;
}

/* Checks a client payload of `bytes` bytes: magic, version, count against length, action types,
 * player < players. Returns VX_DROP_NONE and *header pointing into payload, or the reason. */
enum vx_drop vx_wire_check(const uint8_t *payload, uint32_t bytes, uint32_t players, const struct vx_wire_header **header);

/* ---- frames ---- */
/* Internet checksum (RFC 1071) as a sum of 64-bit words in ones' complement, folded at the end: eight bytes in three
 * instructions, where rte_raw_cksum's 16-bit words take 150 instructions for a short reply. Adds `bytes` bytes at data to
 * sum; only the last piece of a whole may be odd. */
static VX_INLINE uint64_t vx_checksum_add(uint64_t sum, const void *data, uint32_t bytes)
{
    const uint8_t *at = data;
    uint64_t eight, rest = 0;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        __builtin_memcpy(&eight, at, 8);
        sum += eight;
        sum += sum < eight; /* end-around carry: one add with carry */
    }
    if (bytes & 4) {
        uint32_t four;
        __builtin_memcpy(&four, at, 4);
        rest += four;
        at += 4;
    }
    if (bytes & 2) {
        uint16_t two;
        __builtin_memcpy(&two, at, 2);
        rest += two;
        at += 2;
    }
    if (bytes & 1)
        rest += *at; /* padded with a zero byte, little-endian */
    sum += rest;
    return sum + (sum < rest);
}
/* The sum in ones' complement: 0xffff when a right checksum is among the words. */
static inline uint16_t vx_checksum_fold(uint64_t sum)
{
    uint32_t low = (uint32_t)sum, words = low + (uint32_t)(sum >> 32);
    words += words < low;                        /* end-around carry */
    return (uint16_t)((words + (words << 16 | words >> 16)) >> 16); /* both halves added, the lower's carry into the upper */
}

enum vx_frame_kind { VX_FRAME_UDP, VX_FRAME_ARP, VX_FRAME_ICMP4, VX_FRAME_ICMP6 };
struct vx_frame {
    uint8_t kind;       /* enum vx_frame_kind */
    uint8_t ip_version; /* 4, 6; 0 for ARP */
    uint8_t l2_bytes;   /* 14, 18 or 22 */
    uint8_t l3_bytes;
    uint16_t vlan_tci;  /* outer VLAN tag, host order; 0 when untagged */
    uint16_t payload_offset;
    uint16_t payload_bytes;
    uint16_t port_source, port_destination; /* host order */
};
struct vx_frame_filter {
    uint16_t port;              /* the game's UDP port, host order */
    bool ip_checksum_checked;   /* the NIC has said that it is good */
    bool udp_checksum_checked;
    uint8_t address4_count, address6_count; /* 0 and 0: every destination but groups is ours */
    uint32_t address4[4];       /* network order */
    uint8_t address6[4][16];
    uint8_t mac[6];             /* what ARP and neighbour solicitations are answered with */
};
/* Parses Ethernet, up to two VLAN tags, IPv4 with options, IPv6, UDP. Trailing padding is allowed. */
enum vx_drop vx_frame_parse(const uint8_t *data, uint32_t bytes, const struct vx_frame_filter *filter, struct vx_frame *frame);
/* Turns an ARP request, ICMP echo or neighbour solicitation for one of the filter's addresses into
 * its answer, in place (`capacity` bytes at data). Returns the answer's length, 0 when it asks
 * nothing of us. Never longer than the request, but for padding of runts and, to a neighbour on the
 * link, the 8 bytes of option that an advertisement must have (RFC 4861, 4.4). */
uint32_t vx_frame_answer_control(uint8_t *data, uint32_t bytes, uint32_t capacity, const struct vx_frame_filter *filter, const struct vx_frame *frame);

#endif
