-- c5.metal: 96 vCPUs on two NUMA nodes. Node 0 has CPUs 0-23 and their siblings 48-71, node 1 has
-- 24-47 and 72-95. The ENA card with its 8 queues sits on node 0, so io stays there; shards take the
-- rest of node 0 and some of node 1. The siblings of data-plane cores are not named here: keep them
-- idle (isolcpus, or offline), a busy sibling takes a third of its core.
local lcores = {}
-- CPU 0 takes the kernel's interrupts: control lives with it.
lcores[#lcores + 1] = { cpu = 0, roles = { "control" } }
for queue = 0, 7 do
  lcores[#lcores + 1] = { cpu = 1 + queue, roles = { "io" }, port = 1, queue = queue }
end
for cpu = 9, 23 do -- node 0
  lcores[#lcores + 1] = { cpu = cpu, roles = { "shard" } }
end
for cpu = 24, 40 do -- node 1
  lcores[#lcores + 1] = { cpu = cpu, roles = { "shard" } }
end

return {
  lcores = lcores,
  ports = {
    {
      kind = "pci", target = "0000:00:06.0", -- the second ENA, bound to vfio-pci; the first stays the kernel's
      owned = true, addresses = { "172.31.16.10" },
      queues = 8, descriptors = 1024,
    },
  },
  idle = { policy = "busy" }, -- the cores are ours
  memory = { huge = true, mbufs = 262144, arena_mib = 8192 },
  -- The instance may send 2.2 million packets a second before the hypervisor drops; stay below.
  transport = { udp_port = 40000, window_us = 500, packets_per_s = 2000000, players = 2000000, busy_per_s = 50000 },
  shards = { count = 256, ring_events = 4096, seed = 1 },
  formulas = { idle_us = 0 }, -- those that are installed
  ledger = { path = "/var/lib/veltrix/ledger.db" },
  control = { socket = "/run/veltrix/control.sock", mode = "0660" },
}
