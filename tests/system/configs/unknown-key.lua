return {
    lcores = { { cpu = 0, roles = { "io", "shard" }, port = 1, queue = 0 }, { cpu = 1, roles = { "control" } } },
    ports = { { kind = "memif", target = "/run/veltrix/memif.sock", queues = 1 } },
    shards = { cuont = 4 },
}
