"""Which files are data plane, for the tests that hold them to it."""
HOT_ROOMS = ("wire", "session", "lcore", "shard", "match", "rating", "netcode", "admission")
HOT_FILES = ("formula/lane.c", "rules/rules_filter.c")  # in rooms that are control plane otherwise
COLD_FILES = ("netcode/address.c", "shard/tables.c")  # in rooms that are data plane otherwise: text for people
# Files in which something is created, at start, and the functions that they may call for it.
CREATION = {
    "lcore/io.c": {"rte_zmalloc_socket", "rte_free", "vx_error_set"},
    "lcore/shard_lcore.c": {"rte_zmalloc_socket", "vx_arena_heap", "vx_arena_table", "vx_arena_allocate", "vx_error_set"},
    "lcore/trace.c": {"rte_zmalloc_socket", "rte_free"},  # its birth and end
    "lcore/shard_lcore_operate.c": {"rte_zmalloc_socket", "rte_delay_us_sleep"},  # the control thread asks here, and waits for its answer
    "match/modes.c": {"vx_error_set"},  # modes, checked at start
    "rating/rating.c": {"vx_error_set"},  # settings, checked at start
    "shard/shard.c": {"vx_error_set"},
    "shard/modes.c": {"vx_error_set"},  # modes, checked at creation
}


def is_hot(source):
    """source: room/file.c or room/file.h."""
    return (source.split("/")[0] in HOT_ROOMS or source in HOT_FILES) and source not in COLD_FILES
