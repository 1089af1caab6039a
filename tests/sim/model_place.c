/* Where chests lie and how far things are, from docs/protocol.md. */
#include "model_private.h"

static uint64_t square(int64_t value)
{
    return (uint64_t)(value * value);
}

uint64_t m_distance_square(const int32_t a[3], const int32_t b[3])
{
    return square((int64_t)a[0] - b[0]) + square((int64_t)a[1] - b[1]) + square((int64_t)a[2] - b[2]);
}

/* docs/protocol.md, "Where chests lie". */
void m_chest_position(uint32_t seed, uint32_t chest, int32_t at_cm[3])
{
    uint64_t r = ((uint64_t)seed << 16 | chest) + 0x9e3779b97f4a7c15u;
    r = (r ^ (r >> 30)) * 0xbf58476d1ce4e5b9u;
    r = (r ^ (r >> 27)) * 0x94d049bb133111ebu;
    r ^= r >> 31;
    at_cm[0] = (int32_t)((uint32_t)r % 6001) - 3000;
    at_cm[1] = (int32_t)((r >> 32) % 6001) - 3000;
    at_cm[2] = 0;
}

bool m_chest_in_range(const struct model *model, const struct m_player *player, uint32_t chest)
{
    int32_t at_cm[3];
    m_chest_position(player->match->seed, chest, at_cm);
    return m_distance_square(player->at_cm, at_cm) <= square(model->plan->chest_range_cm);
}
