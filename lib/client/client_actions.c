/* Actions and results over a connection that loses, doubles and reorders: an action is sent again under its number until it
 * is answered, a result that matters is taken only after the one before it, and `seen` in every packet acknowledges. */
#include <string.h>

#include "client_private.h"

void client_actions_reset(struct vx_client *client)
{
    memset(client->flights, 0, sizeof(client->flights));
    client->number = 1;
    client->seen = client->told = 0;
}

static void flight_send(struct vx_client *client, struct flight *flight, uint64_t now_ms)
{
    uint8_t payload[sizeof(struct vx_wire_header) + sizeof(flight->actions)];
    const struct vx_wire_header header = { VX_WIRE_MAGIC_CLIENT, VX_WIRE_VERSION, flight->count, 0, 0, flight->number, client->seen };
    const uint32_t bytes = flight->count * (uint32_t)sizeof(flight->actions[0]);
    memcpy(payload, &header, sizeof(header));
    memcpy(payload + sizeof(header), flight->actions, bytes);
    client_send(client, VX_NETCODE_PAYLOAD, payload, (uint32_t)sizeof(header) + bytes, now_ms);
    flight->sent_ms = now_ms;
    client->told = client->seen;
}

/* A free place when `count` more numbers stay near enough to the oldest open one for the server's window. */
static struct flight *flight_free(struct vx_client *client, uint32_t count)
{
    struct flight *place = NULL;
    uint32_t oldest = client->number;
    for (uint32_t i = 0; i < PACKETS_OPEN_MAX; i++) {
        struct flight *flight = &client->flights[i];
        if (flight->open == 0)
            place = flight;
        else if (flight->number < oldest)
            oldest = flight->number;
    }
    return client->number + count - oldest <= VX_CLIENT_ACTIONS_OPEN_MAX ? place : NULL;
}

static uint32_t act(struct vx_client *client, const struct vx_wire_action *actions, uint32_t count, bool ours, uint64_t now_ms)
{
    struct flight *flight = flight_free(client, count);
    if (flight == NULL)
        return 0;
    *flight = (struct flight){ .number = client->number, .open = (uint16_t)((1u << count) - 1), .count = (uint8_t)count, .ours = ours, .first_ms = now_ms };
    memcpy(flight->actions, actions, count * sizeof(*actions));
    client->number += count;
    flight_send(client, flight, now_ms);
    return flight->number;
}

uint32_t vx_client_act(struct vx_client *client, const struct vx_wire_action *actions, uint32_t count, uint64_t now_ms)
{
    if (client->state != VX_CLIENT_CONNECTED || count == 0 || count > VX_WIRE_ACTIONS_MAX)
        return 0;
    return act(client, actions, count, false, now_ms);
}

void client_actions_repeat(struct vx_client *client, uint64_t now_ms)
{
    for (uint32_t i = 0; i < PACKETS_OPEN_MAX; i++) {
        struct flight *flight = &client->flights[i];
        if (flight->open == 0 || now_ms - flight->sent_ms < REPEAT_MS)
            continue;
        flight->sent_again = true;
        client->figures.packets_repeated++;
        flight_send(client, flight, now_ms);
    }
    if (client->told != client->seen && now_ms - client->seen_ms >= ACK_MS) {
        const struct vx_wire_action ack = { .type = VX_ACTION_ACK, .a = client->seen };
        (void)act(client, &ack, 1, true, now_ms); /* without room the next action carries it */
    }
}

static struct flight *flight_of(struct vx_client *client, uint32_t number, uint32_t *index)
{
    for (uint32_t i = 0; i < PACKETS_OPEN_MAX; i++) {
        struct flight *flight = &client->flights[i];
        *index = number - flight->number;
        if (flight->open != 0 && *index < flight->count && (flight->open >> *index & 1))
            return flight;
    }
    return NULL;
}

/* True when the result is the caller's business: new, in order, and not the answer to an acknowledgement of ours. */
static bool result_is_new(struct vx_client *client, uint32_t action_number, uint32_t result_number, uint64_t now_ms)
{
    bool notice = action_number == 0, numbered = result_number != 0;
    if (numbered && result_number != client->seen + 1) { /* known, or its turn comes when the one before has been repeated */
        client->figures.results_repeated++;
        return false;
    }
    if (!notice) {
        uint32_t index;
        struct flight *flight = flight_of(client, action_number, &index);
        if (flight == NULL)
            return false; /* answered before */
        flight->open &= (uint16_t)~(1u << index);
        if (!flight->sent_again)
            client->figures.round_trip_ms = (uint32_t)(now_ms - flight->first_ms);
        if (flight->ours)
            return false;
    }
    if (numbered) {
        client->seen = result_number;
        client->seen_ms = now_ms;
    }
    return true;
}

/* When the caller does not fetch, what is numbered is not taken either: the server repeats it. */
static bool results_full(const struct vx_client *client)
{
    return client->results_head - client->results_tail == RESULTS_MAX;
}

void client_payload_take(struct vx_client *client, const uint8_t *payload, uint32_t bytes, uint64_t now_ms)
{
    struct vx_wire_reply_header header;
    uint32_t at = sizeof(header);
    if (bytes < sizeof(header))
        return;
    memcpy(&header, payload, sizeof(header));
    if (header.magic != VX_WIRE_MAGIC_SERVER || header.version != VX_WIRE_VERSION)
        return;
    for (uint32_t i = 0; i < header.count && at < bytes; i++) {
        struct vx_wire_long result = { 0 };
        const uint32_t result_bytes = vx_result_bytes(payload[at]);
        if (bytes - at < result_bytes || results_full(client))
            return;
        memcpy(&result, payload + at, result_bytes);
        at += result_bytes;
        if (result_is_new(client, result.action_number, result.result_number, now_ms))
            client->results[client->results_head++ & (RESULTS_MAX - 1)] =
                (struct vx_client_result){ result.type, result.code, result.arg16, result.action_number, result.a, result.b, result.c };
    }
}

bool vx_client_result(struct vx_client *client, struct vx_client_result *result)
{
    if (client->results_head == client->results_tail)
        return false;
    *result = client->results[client->results_tail++ & (RESULTS_MAX - 1)];
    return true;
}
