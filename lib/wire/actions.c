/* The action protocol's names, and the check of a client payload. Pure; any thread. */
#include "vx_wire.h"

static const char *const action_names[] = {
#define NAME(name, number, shed) [number] = #name,
    VX_ACTIONS(NAME)
#undef NAME
};
static const uint8_t action_shed_classes[] = {
#define SHED(name, number, shed) [number] = shed,
    VX_ACTIONS(SHED)
#undef SHED
};
static const char *const code_names[] = {
#define NAME(name, number) [number] = #name,
    VX_CODES(NAME)
#undef NAME
};

const char *vx_action_name(uint8_t type)
{
    return type != VX_ACTION_NONE && type < VX_ACTION_COUNT ? action_names[type] : "?";
}

uint8_t vx_action_shed_class(uint8_t type)
{
    return type < VX_ACTION_COUNT ? action_shed_classes[type] : 0;
}

const char *vx_result_name(uint8_t type)
{
    switch (type) {
#define NAME(name, number) \
    case number:           \
        return #name;
        VX_RESULTS(NAME)
#undef NAME
    default:
        return "?";
    }
}

const char *vx_code_name(uint8_t code)
{
    return code < VX_CODE_COUNT ? code_names[code] : "?";
}

enum vx_drop vx_wire_check(const uint8_t *payload, uint32_t bytes, uint32_t players, const struct vx_wire_header **header)
{
    const struct vx_wire_header *head = (const struct vx_wire_header *)payload;
    if (bytes < sizeof(*head))
        return VX_DROP_SHORT_HEADER;
    if (head->magic != VX_WIRE_MAGIC_CLIENT || head->version != VX_WIRE_VERSION || head->flags != 0)
        return VX_DROP_BAD_MAGIC;
    if (head->count == 0 || head->count > VX_WIRE_ACTIONS_MAX || bytes != sizeof(*head) + head->count * sizeof(struct vx_wire_action))
        return VX_DROP_BAD_COUNT;
    if (head->player >= players)
        return VX_DROP_BAD_PLAYER;
    const struct vx_wire_action *actions = (const struct vx_wire_action *)(head + 1);
    for (uint32_t i = 0; i < head->count; i++)
        if (actions[i].type == VX_ACTION_NONE || actions[i].type >= VX_ACTION_COUNT)
            return VX_DROP_BAD_ACTION;
    *header = head;
    return VX_DROP_NONE;
}
