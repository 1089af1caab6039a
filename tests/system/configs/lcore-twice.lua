return {
    lcores = { { cpu = 0, roles = { "io", "shard" }, port = 1, queue = 0 }, { cpu = 0, roles = { "control" } }, { cpu = 0, roles = { "shard" } } },
    ports = { { kind = "memif", target = "/run/veltrix/memif.sock", queues = 1 } },
}
