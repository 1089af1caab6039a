/* client: a game client's side, over an ordinary UDP socket: connects with a connect token (netcode 1.02), sends actions,
 * receives results. Actions are sent again under their numbers until they are answered; results that matter are
 * acknowledged, and handed over once and in order. Nothing blocks, no thread is made, no clock is read: call
 * vx_client_update() at least ten times a second, and whenever vx_client_socket() is readable.
 *
 *   token ─▶ vx_client_create ─▶ vx_client_update … until vx_client_state() is VX_CLIENT_CONNECTED
 *   vx_client_act(actions) ─▶ vx_client_update … ─▶ vx_client_result(): answers and notices
 *
 * One thread at a time may use a client; different clients are independent. docs/protocol.md is the protocol. */
#ifndef VX_CLIENT_H
#define VX_CLIENT_H

#include <sys/socket.h>

#include "vx_base.h"
#include "vx_wire.h"

/* The standard's states: below 0 it is over and why, 0 it ended as somebody wished, 1 and 2 on the way, 3 in. */
#define VX_CLIENT_STATES(X)                                                                        \
    X(TOKEN_EXPIRED, -6, "the token expired before any server let us in")                          \
    X(CONNECTION_TIMED_OUT, -4, "the server fell silent")                                          \
    X(RESPONSE_TIMED_OUT, -3, "no server answered our response")                                   \
    X(REQUEST_TIMED_OUT, -2, "no server answered our request")                                     \
    X(DENIED, -1, "every server is full or has this client already")                               \
    X(DISCONNECTED, 0, "disconnected")                                                             \
    X(REQUESTING, 1, "asking to be let in")                                                        \
    X(RESPONDING, 2, "proving that we receive at our address")                                     \
    X(CONNECTED, 3, "connected")
enum vx_client_state {
#define VX_CLIENT_STATE_ENUM(name, number, sentence) VX_CLIENT_##name = number,
    VX_CLIENT_STATES(VX_CLIENT_STATE_ENUM)
#undef VX_CLIENT_STATE_ENUM
};
/* The state as a fact, for people. Static text. */
const char *vx_client_state_sentence(enum vx_client_state state);

/* An answer to an action (action_number not 0), a notice, or both. Fields by type as in vx_wire.h. */
struct vx_client_result {
    uint8_t type; /* enum vx_result */
    uint8_t code; /* enum vx_code */
    uint16_t arg16;
    uint32_t action_number;
    uint32_t a, b, c;
};
enum { VX_CLIENT_ACTIONS_OPEN_MAX = 32 /* without an answer yet; half the server's window of numbers */ };

struct vx_client;
/* Reads the token (2,048 bytes, copied) and opens a socket for its first server; nothing is sent yet. now_ms: any clock that
 * only goes forward, the same for every call. 0, -EINVAL for a token that is none, -errno of the socket; the sentence says why. */
int vx_client_create(const void *token, size_t bytes, uint64_t now_ms, struct vx_client **client, struct vx_error *error);
/* The socket, to wait on until it is readable; another one after each change of server. */
int vx_client_socket(const struct vx_client *client);
/* Receives, answers, repeats, keeps alive, times out. Returns the state. */
enum vx_client_state vx_client_update(struct vx_client *client, uint64_t now_ms);
enum vx_client_state vx_client_state(const struct vx_client *client);
/* Sends 1 to VX_WIRE_ACTIONS_MAX actions in one packet, and repeats it until each is answered. Returns the number of the first
 * action, the others follow it; 0 when not connected, when the count is out of range or when that many more may not be open. */
uint32_t vx_client_act(struct vx_client *client, const struct vx_wire_action *actions, uint32_t count, uint64_t now_ms);
/* The next result, oldest first; false when there is none. */
bool vx_client_result(struct vx_client *client, struct vx_client_result *result);
/* What there is to tell: round trip of the latest answer in ms, packets each way, actions sent again. */
struct vx_client_figures {
    uint64_t packets_out, packets_in, packets_refused, packets_repeated, results_repeated;
    uint32_t round_trip_ms, actions_open;
};
/* A copy of the figures so far. */
void vx_client_figures(const struct vx_client *client, struct vx_client_figures *figures);
/* Says goodbye when connected (ten packets, as the standard asks), closes the socket, wipes the keys, frees. NULL is allowed. */
void vx_client_destroy(struct vx_client *client);

#endif
