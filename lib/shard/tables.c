/* The state tables as the documentation has them. Apart, so that the files of the hot path know no text. */
#include <stdio.h>

#include "shard_private.h"

static const char *const player_states[] = { "offline", "lobby", "searching", "proposed", "hunting", "settling", "(same)" };
static const char *const match_states[] = { "forming (free)", "proposed", "hunting", "settling" };

const char *vx_player_state_name(uint8_t state)
{
    return state < PLAYER_STATES ? player_states[state] : "?";
}

const char *vx_match_state_name(uint8_t state)
{
    return state < MATCH_STATES ? match_states[state] : "?";
}

struct printer {
    char *buffer;
    size_t bytes, used;
};

static void row(struct printer *printer, const char *state, const char *event, const char *action, const char *next)
{
    if (printer->used < printer->bytes)
        printer->used += (size_t)snprintf(printer->buffer + printer->used, printer->bytes - printer->used, "| %s | %s | %s | %s |\n", state, event, action, next);
}

static void player_table(struct printer *printer)
{
    static const char *const events[] = { "enter", "queued", "propose", "broken", "search end", "start", "settle", "settled", "return", "gone" };
    uint32_t next;
    row(printer, "player state", "event", "action", "next");
    row(printer, "---", "---", "---", "---");
    for (uint32_t state = 0; state < PLAYER_STATES; state++)
        for (uint32_t event = 1; event < PLAYER_EVENTS; event++) {
            const char *action = player_cell(state, event, &next);
            if (action != NULL)
                row(printer, player_states[state], event < EVENT_ENTER ? vx_action_name((uint8_t)event) : events[event - EVENT_ENTER], action, player_states[next]);
        }
}

static void match_table(struct printer *printer)
{
    static const char *const events[] = { "propose", "accept", "start", "break", "timeout", "left", "joined", "finished", "done" };
    uint32_t next;
    row(printer, "match state", "event", "action", "next");
    row(printer, "---", "---", "---", "---");
    for (uint32_t state = 0; state < MATCH_STATES; state++)
        for (uint32_t event = 0; event < MATCH_EVENTS; event++) {
            const char *action = match_cell(state, event, &next);
            if (action != NULL)
                row(printer, match_states[state], events[event], action, match_states[next]);
        }
}

size_t vx_shard_tables_markdown(char *buffer, size_t bytes)
{
    struct printer printer = { buffer, bytes, 0 };
    player_table(&printer);
    if (printer.used < bytes)
        printer.used += (size_t)snprintf(buffer + printer.used, bytes - printer.used, "\n");
    match_table(&printer);
    return printer.used;
}

uint32_t vx_shard_rows_taken(const struct vx_shard *shard, uint64_t *rows, uint32_t rows_max)
{
    uint32_t count = 0, next;
    for (uint32_t state = 0; state < PLAYER_STATES; state++)
        for (uint32_t event = 1; event < PLAYER_EVENTS; event++)
            if (player_cell(state, event, &next) != NULL && count < rows_max)
                rows[count++] += shard->player_rows[state][event];
    for (uint32_t state = 0; state < MATCH_STATES; state++)
        for (uint32_t event = 0; event < MATCH_EVENTS; event++)
            if (match_cell(state, event, &next) != NULL && count < rows_max)
                rows[count++] += shard->match_rows[state][event];
    return count;
}
