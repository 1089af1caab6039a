/* client's insides: client.c connects (the standard's client), client_actions.c makes actions and results reliable. */
#ifndef VX_CLIENT_PRIVATE_H
#define VX_CLIENT_PRIVATE_H

#include "vx_client.h"
#include "vx_netcode.h"

enum {
    SEND_EVERY_MS = 100,   /* requests, responses, keep-alives: ten a second, says the standard */
    REPEAT_MS = 250,       /* an action without an answer */
    ACK_MS = 100,          /* results that no action has acknowledged meanwhile */
    GOODBYES = 10,
    PACKETS_OPEN_MAX = 16, /* action packets with an action open */
    RESULTS_MAX = 256,     /* received and not fetched yet; a power of two */
};

/* A packet of actions that waits for answers. */
struct flight {
    struct vx_wire_action actions[VX_WIRE_ACTIONS_MAX];
    uint32_t number;   /* of the first; */
    uint16_t open;     /* bit i: action i has no answer. 0: the place is free */
    uint8_t count;
    bool ours;         /* an ACK of this library's own: its answer is not for the caller */
    bool sent_again;   /* its round trip says nothing */
    uint64_t first_ms, sent_ms;
};

struct vx_client {
    struct vx_netcode_token token;
    struct vx_netcode_aads aads;
    struct vx_netcode_replay replay;
    enum vx_client_state state;
    int socket;
    uint32_t server;            /* of token.servers */
    bool denied;                /* by any server so far */
    uint64_t started_ms;        /* the token's life is counted from here */
    uint64_t heard_ms, sent_ms; /* in this state */
    uint64_t sequence;          /* of the next sealed packet: never begins again under these keys */
    uint8_t challenge[VX_NETCODE_STEP_BYTES];
    /* actions and results */
    struct flight flights[PACKETS_OPEN_MAX];
    uint32_t number;            /* of the next action */
    uint32_t seen, told;        /* highest result number taken in order; and what a packet has carried of it */
    uint64_t seen_ms;           /* when seen grew */
    uint32_t results_head, results_tail;
    struct vx_client_result results[RESULTS_MAX];
    struct vx_client_figures figures;
};

/* client.c */
void client_send(struct vx_client *client, enum vx_netcode_type type, const void *data, uint32_t bytes, uint64_t now_ms);
/* client_actions.c */
void client_actions_reset(struct vx_client *client);
void client_payload_take(struct vx_client *client, const uint8_t *payload, uint32_t bytes, uint64_t now_ms);
void client_actions_repeat(struct vx_client *client, uint64_t now_ms);

#endif
