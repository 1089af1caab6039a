/* Birth, and tickets in and out. */
#include <string.h>

#include "match_private.h"

static size_t rounded(size_t bytes)
{
    return (bytes + VX_CACHE_LINE_BYTES - 1) & ~(size_t)(VX_CACHE_LINE_BYTES - 1);
}

static uint32_t entry_bits_of(const struct vx_match_config *config)
{
    uint32_t bits = 0;
    while (1u << bits < config->entries)
        bits++;
    return bits;
}

/* Enough for every pool of the mode that has the most classes. */
static uint32_t lines_of(const struct vx_match_config *config)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < config->mode_count; i++) {
        uint32_t classes = mode_classes(&config->modes[i]);
        most = classes > most ? classes : most;
    }
    return config->pools_max * most;
}

static uint32_t buckets_of(const struct vx_match_config *config)
{
    uint32_t buckets = 4;
    while (buckets < 2 * config->pools_max)
        buckets *= 2;
    return buckets;
}

/* Beyond the first, which is in the ticket. */
static size_t places_of(const struct vx_match_config *config)
{
    return ((size_t)config->tickets_max << entry_bits_of(config)) - config->tickets_max;
}

static size_t chunks_of(const struct vx_match_config *config)
{
    return lists_chunks((size_t)lines_of(config) * POINTS, (size_t)config->tickets_max << entry_bits_of(config)) + lists_chunks(AGE_SECONDS, config->tickets_max);
}

size_t vx_match_bytes(const struct vx_match_config *config)
{
    size_t tickets = config->tickets_max;
    return rounded(sizeof(struct vx_match)) + rounded(config->mode_count * sizeof(struct mode)) + rounded(tickets * sizeof(struct ticket)) +
           rounded(tickets * sizeof(struct vx_match_person)) + rounded(places_of(config) * sizeof(struct place)) + rounded(chunks_of(config) * sizeof(struct chunk)) +
           rounded(config->pools_max * sizeof(struct pool)) + rounded(buckets_of(config) * sizeof(uint16_t)) + rounded(lines_of(config) * sizeof(struct line));
}

static void *carve(char **at, size_t bytes)
{
    void *piece = *at;
    *at += rounded(bytes);
    return piece;
}

struct vx_match *vx_match_create(void *memory, const struct vx_match_config *config)
{
    char *at = memory;
    VX_ASSERT(config->tickets_max > 0 && config->mode_count > 0 && config->mode_count <= VX_MATCH_MODES_MAX && config->entries > 0 &&
              config->entries <= VX_MATCH_ENTRIES_MAX && config->pools_max > 0 && config->pools_max < UINT16_MAX / 4 &&
              (uint64_t)config->tickets_max << entry_bits_of(config) < UINT32_MAX);
    struct vx_match *match = carve(&at, sizeof(*match));
    match->tickets_max = config->tickets_max;
    match->mode_count = config->mode_count;
    match->entry_bits = entry_bits_of(config);
    match->pools_max = config->pools_max;
    match->lines_max = lines_of(config);
    match->bucket_mask = buckets_of(config) - 1;
    match->modes = carve(&at, config->mode_count * sizeof(struct mode));
    match->tickets = carve(&at, config->tickets_max * sizeof(struct ticket));
    match->persons = carve(&at, config->tickets_max * sizeof(struct vx_match_person));
    match->places = carve(&at, places_of(config) * sizeof(struct place));
    match->chunks_max = (uint32_t)chunks_of(config);
    match->chunks = carve(&at, match->chunks_max * sizeof(struct chunk));
    match->pools = carve(&at, config->pools_max * sizeof(struct pool));
    match->buckets = carve(&at, buckets_of(config) * sizeof(uint16_t));
    match->lines = carve(&at, match->lines_max * sizeof(struct line));
    for (uint32_t i = 0; i < config->mode_count; i++)
        mode_compile(&match->modes[i], &config->modes[i]);
    modes_late(match);
    match->late_second = AGE_SECONDS; /* nobody is late yet */
    return match;
}

struct vx_match_person *vx_match_person(struct vx_match *match, uint32_t slot)
{
    VX_ASSERT(slot < match->tickets_max);
    return &match->persons[slot];
}

void vx_match_expect(const struct vx_match *match, uint32_t slot)
{
    VX_ASSERT(slot < match->tickets_max);
    __builtin_prefetch(&match->tickets[slot], 1);
    __builtin_prefetch(&match->persons[slot], 1);
}

uint32_t vx_match_members(const struct vx_match *match, uint32_t slot, uint32_t members[VX_MATCH_PARTY_MAX])
{
    VX_ASSERT(slot < match->tickets_max);
    uint32_t size = match->tickets[slot].size;
    for (uint32_t i = 0; i < size; i++) {
        members[i] = slot;
        if (i + 1 < size)
            slot = match->persons[slot].next;
    }
    return size;
}

/* ---- age: tickets by the second since which they wait ---- */
static uint32_t second_of(const struct ticket *ticket)
{
    return ticket->since_ms / 1000 % AGE_SECONDS;
}

static void age_remove(struct vx_match *match, uint32_t slot)
{
    struct list *list = &match->ages[second_of(&match->tickets[slot])];
    if (match->late_slot == slot + 1)
        match->late_slot = list_next(match, LIST_AGES, list, slot) + 1; /* 0 for none */
    list_remove(match, LIST_AGES, list, slot);
}

static void seconds_add(struct vx_match *match, const struct ticket *ticket, uint32_t change)
{
    for (uint32_t modes = ticket->modes; modes != 0; modes &= modes - 1) {
        struct mode *mode = &match->modes[__builtin_ctz(modes)];
        mode->waiting += change;
        mode->seconds[second_of(ticket)] += change;
    }
}

/* ---- in ---- */
static enum vx_match_refusal refusal_of(const struct vx_match *match, const struct vx_ticket *ticket)
{
    if (ticket->modes == 0 || ticket->modes >> match->mode_count != 0)
        return VX_MATCH_NO_MODE;
    if (ticket->rating > VX_MATCH_RATING_MAX)
        return VX_MATCH_RATING;
    if (ticket->size == 0 || ticket->size > VX_MATCH_PARTY_MAX)
        return VX_MATCH_PARTY_TOO_LARGE;
    for (uint32_t i = 0; i < ticket->size; i++) {
        if (ticket->members[i] >= match->tickets_max)
            return VX_MATCH_MEMBER;
        for (uint32_t j = 0; j < i; j++)
            if (ticket->members[i] == ticket->members[j])
                return VX_MATCH_MEMBER;
    }
    for (uint32_t modes = ticket->modes; modes != 0; modes &= modes - 1) {
        enum vx_match_refusal refusal = mode_admits(match, &match->modes[__builtin_ctz(modes)], ticket->members, ticket->size, ticket->latency_ms);
        if (refusal != VX_MATCH_TAKEN)
            return refusal;
    }
    return VX_MATCH_TAKEN;
}

enum vx_match_refusal vx_match_add(struct vx_match *match, const struct vx_ticket *from, uint32_t now_ms)
{
    enum vx_match_refusal refusal = refusal_of(match, from);
    if (refusal != VX_MATCH_TAKEN)
        return refusal;
    uint32_t slot = from->members[0];
    struct ticket *ticket = &match->tickets[slot];
    VX_ASSERT((ticket->flags & TICKET_QUEUED) == 0 && (int32_t)(now_ms - from->since_ms) >= 0);
    *ticket = (struct ticket){ .since_ms = from->since_ms, .rating = from->rating, .modes = from->modes, .size = from->size };
    ticket->flags = (uint8_t)(TICKET_QUEUED | (from->first ? TICKET_FIRST : 0));
    memcpy(ticket->sets, from->sets, sizeof(ticket->sets));
    memcpy(ticket->attributes, from->attributes, sizeof(ticket->attributes));
    memcpy(ticket->latency_ms, from->latency_ms, sizeof(ticket->latency_ms));
    for (uint32_t i = 0; i < from->size; i++) {
        struct vx_match_person *person = &match->persons[from->members[i]];
        VX_ASSERT(person->blocked_count <= VX_MATCH_BLOCKED_MAX && person->met_count <= VX_MATCH_MET_MAX);
        person->next = i + 1 < from->size ? from->members[i + 1] : VX_MATCH_NONE;
        ticket->roles[i] = person->roles;
        ticket->flags |= person->blocked_count + person->met_count > 0 ? TICKET_PICKY : 0;
    }
    if (!index_insert(match, slot, now_ms)) {
        ticket->flags = 0;
        return VX_MATCH_FULL;
    }
    list_append(match, LIST_AGES, &match->ages[second_of(ticket)], slot);
    seconds_add(match, ticket, 1);
    match->waiting++;
    return VX_MATCH_TAKEN;
}

/* ---- out ---- */
void ticket_leave(struct vx_match *match, uint32_t slot)
{
    struct ticket *ticket = &match->tickets[slot];
    index_remove(match, slot);
    age_remove(match, slot);
    seconds_add(match, ticket, UINT32_MAX); /* one less */
    ticket->flags = 0;
    match->waiting--;
}

void vx_match_remove(struct vx_match *match, uint32_t slot)
{
    VX_ASSERT(vx_match_has(match, slot));
    ticket_leave(match, slot);
}

bool vx_match_has(const struct vx_match *match, uint32_t slot)
{
    return slot < match->tickets_max && (match->tickets[slot].flags & TICKET_QUEUED) != 0;
}

uint16_t vx_match_party_rating(enum vx_match_aggregate aggregate, uint16_t bonus_points, const uint16_t *ratings, uint32_t count)
{
    uint32_t sum = 0, highest = 0;
    VX_ASSERT(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        sum += ratings[i];
        highest = ratings[i] > highest ? ratings[i] : highest;
    }
    uint32_t mean = (sum + count / 2) / count, rating = aggregate == VX_MATCH_MEAN ? mean : aggregate == VX_MATCH_HIGHEST ? highest
                                                                                                                          : (mean + highest + 1) / 2;
    rating += bonus_points * (count - 1);
    return (uint16_t)(rating < VX_MATCH_RATING_MAX ? rating : VX_MATCH_RATING_MAX);
}
